//! gRPC-web over HTTP/1.1, as a browser speaks it.

use bytes::Bytes;
use http::{Method, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use prost::Message;

use super::*;

const SIGN_IN: &str = "/larder.v1.AccessService/SignIn";

struct Browser(Client<HttpConnector, Full<Bytes>>, SocketAddr);

impl Browser {
    async fn ask(&self, path: &str, message: &impl Message, headers: &[(&str, &str)]) -> Response<Bytes> {
        let message = message.encode_to_vec();
        let mut body = vec![0];
        body.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        body.extend(message);
        let mut request = http::Request::builder().method(Method::POST).uri(format!("http://{}{path}", self.1));
        request = request.header(header::CONTENT_TYPE, "application/grpc-web+proto");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.0.request(request.body(Full::from(body)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
    }
}

#[tokio::test]
async fn a_browser_signs_in_and_is_known_by_its_cookie() {
    let mut bench = Bench::start().await;
    bench.admin().await;
    let browser = Browser(Client::builder(TokioExecutor::new()).build_http(), bench.address);
    let origin = format!("http://{}", bench.address);
    let given = pb::sign_in_request::Password { name: "ada".to_owned(), password: "correct horse".to_owned() };
    let sign_in = pb::SignInRequest { credentials: Some(pb::sign_in_request::Credentials::Password(given)) };

    let foreign = browser.ask(SIGN_IN, &sign_in, &[("origin", "http://evil")]).await;
    assert_eq!((foreign.status().as_u16(), &foreign.headers()["grpc-status"]), (200, &"7".parse().unwrap()));

    let done = browser.ask(SIGN_IN, &sign_in, &[("origin", &origin)]).await;
    assert_eq!(done.status(), 200);
    assert_eq!(done.headers()["content-type"], "application/grpc-web+proto");
    assert!(done.headers().contains_key("x-request-id"));
    let cookie = done.headers()["set-cookie"].to_str().unwrap().to_owned();
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    assert!(pair.starts_with("larder_session=lrs_"), "{pair}");
    assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000");

    let list = "/larder.v1.AccessService/ListTokens";
    let nobody = browser.ask(list, &pb::ListTokensRequest::default(), &[("origin", &origin)]).await;
    assert_eq!(nobody.headers()["grpc-status"], "16");
    let known = browser.ask(list, &pb::ListTokensRequest::default(), &[("origin", &origin), ("cookie", pair)]).await;
    // The trailers of gRPC-web are in the body, behind the flag 0x80.
    assert!(known.body().windows(13).any(|window| window == b"grpc-status:0"), "{known:?}");
    let forged =
        browser.ask(list, &pb::ListTokensRequest::default(), &[("origin", "http://evil"), ("cookie", pair)]).await;
    assert_eq!(forged.headers()["grpc-status"], "7");
    bench.stop().await;
}
