//! Passwords, codes, sessions.

use tonic::Code;

use super::*;

#[tokio::test]
async fn the_first_admin_is_made_once_and_by_nobody_from_outside() {
    let mut bench = Bench::start().await;
    let ask = |code: &str| pb::CreateFirstAdminRequest {
        name: "eve".to_owned(),
        password: "let me in".to_owned(),
        code: code.to_owned(),
    };
    let state = bench.remote.get_access_state(pb::GetAccessStateRequest {}).await.unwrap().into_inner();
    assert!(!state.has_admin && state.identity.is_none());
    for code in ["", "lrc_guess"] {
        assert_eq!(bench.remote.create_first_admin(ask(code)).await.unwrap_err().code(), Code::Unauthenticated);
    }

    let (mut one, mut two) = (bench.local.clone(), bench.local.clone());
    let (one, two) = tokio::join!(one.create_first_admin(ask("")), two.create_first_admin(ask("")));
    let refused: Vec<_> = [&one, &two].into_iter().filter_map(|made| made.as_ref().err().map(Status::code)).collect();
    assert_eq!(refused, [Code::FailedPrecondition], "exactly one of two at once is made");

    assert_eq!(bench.local.create_first_admin(ask("")).await.unwrap_err().code(), Code::FailedPrecondition);
    assert!(bench.remote.get_access_state(pb::GetAccessStateRequest {}).await.unwrap().into_inner().has_admin);
    bench.stop().await;
}

#[tokio::test]
async fn a_password_signs_in_until_the_session_is_signed_out() {
    let mut bench = Bench::start().await;
    bench.admin().await;
    let wrong = bench.sign_in("ada", "correct horsf").await.unwrap_err();
    let unknown = bench.sign_in("b\0b", "correct horse").await.unwrap_err();
    assert_eq!((wrong.code(), unknown.code()), (Code::Unauthenticated, Code::Unauthenticated));
    assert_eq!(wrong.message(), unknown.message(), "what is wrong is not told");

    let session = bench.sign_in("ada", "correct horse").await.unwrap().session_token;
    let identity = bench.who(&session).await.unwrap();
    assert_eq!((identity.name.as_str(), identity.role()), ("ada", pb::Role::Admin));
    assert!(bench.remote.list_tokens(with(pb::ListTokensRequest::default(), &session)).await.is_ok());

    let signed_out = bench.remote.sign_out(with(pb::SignOutRequest {}, &session)).await.unwrap();
    let cookie = signed_out.metadata().get("set-cookie").unwrap().to_str().unwrap();
    assert_eq!(cookie, "larder_session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    assert_eq!(bench.who(&session).await, None);
    let after = bench.remote.list_tokens(with(pb::ListTokensRequest::default(), &session)).await.unwrap_err();
    assert_eq!(after.code(), Code::Unauthenticated);
    bench.stop().await;
}

#[tokio::test]
async fn secrets_stand_in_no_row() {
    let mut bench = Bench::start().await;
    let session = bench.admin().await.session_token;
    let token = bench.token("vlc", pb::Role::Viewer).await.unwrap().secret;
    let client = bench.db.client().await.unwrap();
    let dump = "SELECT concat((SELECT json_agg(users) FROM users), (SELECT json_agg(sessions) FROM sessions),
                              (SELECT json_agg(tokens) FROM tokens))";
    let dump: String = client.query_one(dump, &[]).await.unwrap().get(0);
    assert!(dump.contains("$argon2id$") && dump.contains("vlc"));
    for secret in [session.as_str(), &token, "correct horse"] {
        assert!(!dump.contains(secret) && !dump.contains(&secret[4..]));
    }
    drop(client);
    bench.stop().await;
}

#[tokio::test]
async fn a_code_signs_in_once() {
    let mut bench = Bench::start().await;
    let denied = bench.remote.create_sign_in_link(pb::CreateSignInLinkRequest {}).await.unwrap_err();
    assert_eq!(denied.code(), Code::Unauthenticated);
    let link = bench.local.create_sign_in_link(pb::CreateSignInLinkRequest {}).await.unwrap().into_inner();
    assert_eq!(link.urls, [format!("http://localhost:8080/sign-in#code={}", link.code)]);
    assert!(link.expires_at.is_some());

    let signed_in = bench.sign_in_by_code(&link.code).await.unwrap();
    let identity = bench.who(&signed_in.session_token).await.unwrap();
    assert_eq!((identity.name.as_str(), identity.role()), ("sign-in link", pb::Role::Admin));
    assert_eq!(bench.sign_in_by_code(&link.code).await.unwrap_err().code(), Code::Unauthenticated);

    // Such a session may make the first admin, and later codes are that admin's.
    let request = pb::CreateFirstAdminRequest {
        name: "ada".to_owned(),
        password: "correct horse".to_owned(),
        code: String::new(),
    };
    bench.remote.create_first_admin(with(request, &signed_in.session_token)).await.unwrap();
    let link = bench.local.create_sign_in_link(pb::CreateSignInLinkRequest {}).await.unwrap().into_inner();
    let signed_in = bench.sign_in_by_code(&link.code).await.unwrap();
    assert_eq!(bench.who(&signed_in.session_token).await.unwrap().name, "ada");
    bench.stop().await;
}

#[tokio::test]
async fn a_code_makes_the_first_admin_and_a_mistake_does_not_use_it_up() {
    let mut bench = Bench::start().await;
    let code = bench.local.create_sign_in_link(pb::CreateSignInLinkRequest {}).await.unwrap().into_inner().code;
    let ask = |name: &str, password: &str| pb::CreateFirstAdminRequest {
        name: name.to_owned(),
        password: password.to_owned(),
        code: code.clone(),
    };
    for (name, password) in [("", "long enough"), (" ada", "long enough"), ("ada", "short"), ("a\nb", "long enough")] {
        let refused = bench.remote.create_first_admin(ask(name, password)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{name:?} {password:?}");
    }
    bench.remote.create_first_admin(ask("ada", "long enough")).await.unwrap();
    assert_eq!(bench.sign_in_by_code(&code).await.unwrap_err().code(), Code::Unauthenticated, "it is used up");
    bench.stop().await;
}

#[tokio::test]
async fn guessing_is_slowed_down_and_the_local_socket_is_not_shut_out() {
    let mut bench = Bench::start().await;
    let guess = "lrc_0123456789012345678901234567890123456789012";
    let mut codes = Vec::new();
    for _ in 0..11 {
        codes.push(bench.sign_in_by_code(guess).await.unwrap_err().code());
    }
    assert_eq!(codes[..10], [Code::Unauthenticated; 10]);
    assert_eq!(codes[10], Code::ResourceExhausted);
    let link = bench.local.create_sign_in_link(pb::CreateSignInLinkRequest {}).await.unwrap().into_inner();
    assert_eq!(bench.sign_in_by_code(&link.code).await.unwrap_err().code(), Code::ResourceExhausted);
    bench.admin().await;
    bench.stop().await;
}
