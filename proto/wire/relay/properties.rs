//! Whatever is sent is read as it was sent, and nothing that is read does harm.

use std::time::Duration;

use bytes::BytesMut;
use proptest::{collection::vec, option, prelude::*, sample::select};
use uuid::Uuid;

use super::*;
use crate::wire::CameraId;

fn any_wish() -> impl Strategy<Value = Wish> {
    (any::<u16>(), option::of(1_u16..), option::of(1_u16..)).prop_map(|(tenths, width, height)| Wish {
        rate: Rate::from_tenths(tenths),
        width,
        height,
    })
}

fn any_viewer_message() -> impl Strategy<Value = ViewerMessage> {
    let hello = (any::<[u8; 2]>(), any_wish(), "[ -~]{0,128}", "[ -~]{0,64}", "[ -~]{0,200}");
    let report = (any::<u64>(), any::<u64>(), option::of(0..u32::MAX));
    prop_oneof![
        hello.prop_map(|([version_min, version_max], wish, camera, client, secret)| {
            ViewerMessage::Hello(Hello { version_min, version_max, secret, camera, wish, client })
        }),
        any_wish().prop_map(ViewerMessage::Wish),
        report.prop_map(|(shown, passed_over, age)| {
            let age = age.map(|ms| Duration::from_millis(ms.into()));
            ViewerMessage::Report(Report { shown, passed_over, age })
        }),
        any::<[u8; 8]>().prop_map(ViewerMessage::Ping),
    ]
}

fn any_hub_message() -> impl Strategy<Value = HubMessage> {
    let presence = select(&[Presence::Offline, Presence::Online, Presence::Stalled][..]);
    let limited_by = select(&[LimitedBy::Nothing, LimitedBy::Wish, LimitedBy::Line][..]);
    let status = (presence, limited_by, any_wish(), any::<(u8, u64, u64)>());
    prop_oneof![
        (any::<(u8, u128, u128)>(), "[ -~]{0,128}").prop_map(|((version, viewer, camera), name)| {
            let (viewer, camera) = (Uuid::from_u128(viewer), CameraId(Uuid::from_u128(camera)));
            HubMessage::Welcome(Welcome { version, viewer, camera, name })
        }),
        status.prop_map(|(presence, limited_by, limits, (window, delivered, skipped))| {
            HubMessage::Status(Status { presence, delivered, skipped, window, limits, limited_by })
        }),
        any::<([u8; 8], i64)>().prop_map(|(echo, now_us)| HubMessage::Pong { echo, now_us }),
    ]
}

proptest! {
    #[test]
    fn messages_survive_the_wire(viewer in vec(any_viewer_message(), 0..5), hub in vec(any_hub_message(), 0..5)) {
        let mut out = BytesMut::new();
        viewer.iter().for_each(|message| message.encode(&mut out));
        for message in viewer {
            prop_assert_eq!(ViewerMessage::decode(&mut out), Ok(Some(message)));
        }
        hub.iter().for_each(|message| message.encode(&mut out));
        for message in hub {
            prop_assert_eq!(HubMessage::decode(&mut out), Ok(Some(message)));
        }
        prop_assert!(out.is_empty());
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in vec(any::<u8>(), 0..3000)) {
        let (mut viewer, mut hub) = (BytesMut::from(&bytes[..]), BytesMut::from(&bytes[..]));
        while let Ok(Some(_)) = ViewerMessage::decode(&mut viewer) {}
        while let Ok(Some(_)) = HubMessage::decode(&mut hub) {}
    }

    #[test]
    fn frame_headers_survive_the_wire(
        is_scaled: bool, counts: (u32, u64), times: (i64, i64), size: (u16, u16), length in 0..=MOST_FRAME,
    ) {
        let header = FrameHeader {
            is_scaled, skipped: counts.0, sequence: counts.1, captured_at_us: times.0, sent_at_us: times.1,
            width: size.0, height: size.1, length,
        };
        prop_assert_eq!(FrameHeader::decode(&header.encode()), Ok(header));
    }
}
