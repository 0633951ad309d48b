//! Which methods answer with a stream, as their descriptors say.

use std::collections::HashSet;

use larder_proto::pb;
use prost::Message as _;
use prost_types::FileDescriptorSet;

/// The descriptors of everything that is served.
const SERVED: [&[u8]; 4] = [
    pb::DESCRIPTORS,
    tonic_health::pb::FILE_DESCRIPTOR_SET,
    tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
    tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
];

/// The paths of all methods that stream, either way.
pub(super) fn streaming() -> HashSet<String> {
    let sets = SERVED.iter().filter_map(|bytes| FileDescriptorSet::decode(*bytes).ok());
    let mut paths = HashSet::new();
    for file in sets.flat_map(|set| set.file) {
        for service in &file.service {
            let streams = service.method.iter().filter(|method| method.server_streaming() || method.client_streaming());
            paths.extend(streams.map(|method| format!("/{}.{}/{}", file.package(), service.name(), method.name())));
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watching_streams_and_asking_does_not() {
        let streaming = streaming();
        for path in [
            "/larder.v1.CameraService/WatchCameras",
            "/larder.v1.SystemService/WatchEvents",
            "/grpc.health.v1.Health/Watch",
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        ] {
            assert!(streaming.contains(path), "{path}");
        }
        assert!(!streaming.contains("/larder.v1.CameraService/GetCamera"));
        assert!(!streaming.contains("/grpc.health.v1.Health/Check"));
    }
}
