//! Small pictures out of a real hub.

use bytes::Bytes;
use jpeg_encoder::{ColorType, Encoder};

use super::*;
use crate::{clock::Clock, events::Events, hub::SessionInfo};

fn frame(jpeg: Vec<u8>, size: (u16, u16)) -> Frame {
    let now = Clock::new().now();
    Frame {
        sequence: 0,
        captured_at: now,
        received_at: now,
        clock_epoch: 0,
        width: size.0,
        height: size.1,
        jpeg: Bytes::from(jpeg),
    }
}

fn picture(size: (u16, u16)) -> Frame {
    let mut jpeg = Vec::new();
    let pixels = vec![120; usize::from(size.0) * usize::from(size.1)];
    Encoder::new(&mut jpeg, 80).encode(&pixels, size.0, size.1, ColorType::Luma).unwrap();
    frame(jpeg, size)
}

fn scaled() -> (Scaled, Hub, CameraId) {
    let clock = Clock::new();
    let hub = Hub::new(clock.clone(), Events::new(clock));
    (Scaled::new(hub.clone(), Tasks::new()), hub, CameraId::random())
}

async fn next(reader: &mut Reader) -> Option<Small> {
    reader.changed().await.ok()?;
    reader.borrow_and_update().clone()
}

#[test]
fn the_largest_size_that_fits_is_taken_and_none_is_larger_than_the_cameras() {
    let fit = |width, height| Scale::to_fit((640, 480), width, height);
    assert_eq!(fit(None, None), Scale::Whole);
    assert_eq!(fit(Some(2000), Some(2000)), Scale::Whole);
    assert_eq!(fit(Some(639), None), Scale::Half);
    assert_eq!(fit(Some(320), Some(240)), Scale::Half);
    assert_eq!(fit(Some(320), Some(200)), Scale::Quarter);
    assert_eq!(fit(Some(1), None), Scale::Eighth, "there is none that fits");
    assert_eq!(Scale::Eighth.of((100, 3)), (13, 1));
}

#[tokio::test]
async fn viewers_of_one_size_share_its_pictures_and_the_last_one_ends_the_work() {
    let (scaled, hub, camera) = scaled();
    let publisher = hub.ensure(camera).publisher(SessionInfo::default());
    let mut one = scaled.watch(camera, Scale::Half);
    let mut two = scaled.watch(camera, Scale::Half);
    let mut other = scaled.watch(camera, Scale::Quarter);
    assert_eq!(scaled.watched(), 2);

    assert!(publisher.publish(picture((64, 48))));
    let (first, second) = (next(&mut one).await.unwrap(), next(&mut two).await.unwrap());
    assert!(Arc::ptr_eq(&first.frame, &second.frame), "it was made once");
    assert_eq!((first.frame.width, first.frame.height, first.whole), (32, 24, (64, 48)));
    assert_eq!(first.frame.sequence, 1);
    assert_eq!(next(&mut other).await.unwrap().frame.width, 16);
    assert_eq!(hub.ensure(camera).snapshot().viewers, 0, "the work itself is no viewer");

    drop((one, two));
    while scaled.watched() > 1 {
        tokio::task::yield_now().await;
    }
    drop(other);
    while scaled.watched() > 0 {
        tokio::task::yield_now().await;
    }
    assert!(publisher.publish(picture((64, 48))));
    let again = next(&mut scaled.watch(camera, Scale::Half)).await.unwrap();
    assert_eq!(again.frame.sequence, 2, "whoever comes later has the newest picture at once");
}

#[tokio::test]
async fn a_damaged_picture_is_passed_over() {
    let (scaled, hub, camera) = scaled();
    let publisher = hub.ensure(camera).publisher(SessionInfo::default());
    let mut reader = scaled.watch(camera, Scale::Half);
    let damaged = frame(vec![0xff, 0xd8, 0xff, 0xd9], (64, 48));
    assert!(publisher.publish(damaged));
    // It is taken before the next one replaces it, or is skipped: neither is shown.
    tokio::task::yield_now().await;
    assert!(publisher.publish(picture((64, 48))));
    assert_eq!(next(&mut reader).await.unwrap().frame.sequence, 2);
}

#[tokio::test]
async fn readers_end_with_the_camera() {
    let (scaled, hub, camera) = scaled();
    let mut reader = scaled.watch(camera, Scale::Half);
    hub.remove(camera);
    assert!(next(&mut reader).await.is_none());
    assert_eq!(scaled.watched(), 0);
}
