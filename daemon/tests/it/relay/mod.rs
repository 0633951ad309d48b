//! Viewers far away, over QUIC.

mod crowds;
mod lines;
mod strangers;
mod watching;
mod web;

use larder_proto::pb;

use crate::support::Hub;

/// Who watches live.
async fn viewers(hub: &Hub) -> Vec<pb::Viewer> {
    let request = pb::ListViewersRequest { page_size: 1000, ..Default::default() };
    hub.clients.viewers.clone().list_viewers(request).await.unwrap().into_inner().viewers
}
