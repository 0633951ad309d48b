//! Tokens, and what is cached of them.

use prost_types::Duration as PbDuration;
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_types::StatusExt as _;

use super::*;

#[tokio::test]
async fn a_token_is_shown_once_listed_and_may_do_what_its_role_may() {
    let mut bench = Bench::start().await;
    let made = bench.token("vlc", pb::Role::Viewer).await.unwrap();
    assert!(made.secret.starts_with("lrd_") && made.secret.len() == 47);
    assert_eq!(bench.who(&made.secret).await.unwrap().role(), pb::Role::Viewer);
    let denied = bench.remote.list_tokens(with(pb::ListTokensRequest::default(), &made.secret)).await.unwrap_err();
    assert_eq!((denied.code(), denied.message()), (Code::PermissionDenied, "this needs the role admin"));

    assert_eq!(bench.token("vlc", pb::Role::Admin).await.unwrap_err().code(), Code::AlreadyExists);
    let admin = bench.token("scripts", pb::Role::Admin).await.unwrap();
    let list =
        bench.remote.list_tokens(with(pb::ListTokensRequest::default(), &admin.secret)).await.unwrap().into_inner();
    assert_eq!(list.tokens.iter().map(|token| token.name.as_str()).collect::<Vec<_>>(), ["scripts", "vlc"]);
    assert_eq!(list.tokens[1], made.token.unwrap());
    bench.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_token_is_told_by_field() {
    let mut bench = Bench::start().await;
    let valid_for = |seconds| Some(PbDuration { seconds, nanos: i32::MAX });
    for seconds in [59, -1, i64::MAX, i64::MIN] {
        let request = pb::CreateTokenRequest { name: "x".repeat(65), role: 9, valid_for: valid_for(seconds) };
        let refused = bench.local.create_token(request).await.unwrap_err();
        let details = refused.get_details_bad_request().unwrap();
        let fields: Vec<_> = details.field_violations.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields, ["name", "role", "valid_for"]);
    }
    let request = pb::CreateTokenRequest { name: "x".to_owned(), role: 1, valid_for: valid_for(60) };
    assert!(bench.local.create_token(request).await.unwrap().into_inner().token.unwrap().expires_at.is_some());
    for nobody in ["nobody", "no\0body"] {
        let request = pb::RevokeTokenRequest { token: nobody.to_owned() };
        let unknown = bench.local.revoke_token(request).await.unwrap_err();
        assert_eq!((unknown.code(), unknown.message()), (Code::NotFound, &*format!("no such token \"{nobody}\"")));
    }
    bench.stop().await;
}

#[tokio::test]
async fn a_revoked_token_ends_its_streams_at_once() {
    let mut bench = Bench::start().await;
    let made = bench.token("panel", pb::Role::Viewer).await.unwrap();
    let mut health = HealthClient::new(channel(bench.address));
    let watch = HealthCheckRequest { service: String::new() };
    assert_eq!(health.watch(watch.clone()).await.unwrap_err().code(), Code::Unauthenticated);
    let mut stream = health.watch(with(watch.clone(), &made.secret)).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());

    bench.local.revoke_token(pb::RevokeTokenRequest { token: made.token.unwrap().id }).await.unwrap();
    let ended = stream.message().await.unwrap_err();
    assert_eq!((ended.code(), ended.message()), (Code::Unauthenticated, "access was revoked"));
    assert_eq!(health.watch(with(watch, &made.secret)).await.unwrap_err().code(), Code::Unauthenticated);
    bench.stop().await;
}

#[tokio::test]
async fn a_row_that_another_program_removed_is_forgotten() {
    let mut bench = Bench::start().await;
    let secret = bench.token("vlc", pb::Role::Viewer).await.unwrap().secret;
    let caller = bench.access.verify(&secret).unwrap();
    let client = bench.db.client().await.unwrap();
    client.execute("DELETE FROM tokens", &[]).await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), caller.revoked.cancelled()).await.expect("the gate heard of it");
    assert!(bench.access.verify(&secret).is_none());
    drop(client);
    bench.stop().await;
}

#[tokio::test]
async fn without_the_database_who_is_known_gets_in_and_nothing_changes() {
    let mut bench = Bench::start().await;
    bench.admin().await;
    let secret = bench.token("vlc", pb::Role::Viewer).await.unwrap().secret;
    bench.db.close(Duration::from_secs(20)).await;
    assert_eq!(bench.who(&secret).await.unwrap().name, "vlc");
    assert_eq!(bench.sign_in("ada", "correct horse").await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(bench.token("new", pb::Role::Viewer).await.unwrap_err().code(), Code::Unavailable);
    let code = bench.local.create_sign_in_link(pb::CreateSignInLinkRequest {}).await.unwrap().into_inner().code;
    for _ in 0..2 {
        assert_eq!(bench.sign_in_by_code(&code).await.unwrap_err().code(), Code::Unavailable, "it stays unused");
    }
    bench.stop().await;
}
