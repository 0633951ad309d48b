//! What a generic client (grpcurl, Python) finds out.

use prost::Message as _;
use tonic::Code;
use tonic_reflection::pb::v1alpha::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use super::*;

#[tokio::test]
async fn a_viewer_finds_the_services_and_their_messages_and_nobody_else_does() {
    let mut bench = Bench::start().await;
    let secret = bench.token("grpcurl", pb::Role::Viewer).await.unwrap().secret;
    let mut client = ServerReflectionClient::new(channel(bench.address));
    let ask = |message| {
        let request = ServerReflectionRequest { host: String::new(), message_request: Some(message) };
        tokio_stream::once(request)
    };
    let services = || ask(MessageRequest::ListServices(String::new()));
    let nobody = client.server_reflection_info(services()).await.unwrap_err();
    assert_eq!(nobody.code(), Code::Unauthenticated);

    let mut answers = client.server_reflection_info(with(services(), &secret)).await.unwrap().into_inner();
    let Some(MessageResponse::ListServicesResponse(list)) = answers.message().await.unwrap().unwrap().message_response
    else {
        panic!("no list");
    };
    let names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
    for name in ["larder.v1.AccessService", "larder.v1.CameraService", "grpc.health.v1.Health"] {
        assert!(names.contains(&name), "{names:?}");
    }

    let symbol = ask(MessageRequest::FileContainingSymbol("larder.v1.CameraService".to_owned()));
    let mut answers = client.server_reflection_info(with(symbol, &secret)).await.unwrap().into_inner();
    let Some(MessageResponse::FileDescriptorResponse(files)) =
        answers.message().await.unwrap().unwrap().message_response
    else {
        panic!("no file");
    };
    let file = prost_types::FileDescriptorProto::decode(files.file_descriptor_proto[0].as_slice()).unwrap();
    assert_eq!(file.name(), "larder/v1/cameras.proto");
    let import = ask(MessageRequest::FileByFilename("google/protobuf/timestamp.proto".to_owned()));
    let mut answers = client.server_reflection_info(with(import, &secret)).await.unwrap().into_inner();
    let imported = answers.message().await.unwrap().unwrap().message_response;
    assert!(matches!(imported, Some(MessageResponse::FileDescriptorResponse(_))), "{imported:?}");
    bench.stop().await;
}
