//! People are told: by webhook, ntfy, e-mail and MQTT, in order, again when it failed, and over a restart.

use larder_proto::{
    Words as _,
    pb::{
        self, AlarmDeliveryState, AlarmOccasion,
        alarm_channel::{Email, MqttTopic, Ntfy, Target, Webhook},
    },
};
use ring::hmac;
use tonic::Code;

use crate::{
    alarms::{above, add_rule, add_sensor, hear},
    ctl::larderctl,
    support::{Broker, Clients, Home, Hub, MailServer, Posted, Receiver, Trusted, until},
};

const SECRET: &str = "a secret that nobody may see";

async fn add(hub: &Hub, name: &str, target: Target) -> Result<pb::AlarmChannel, tonic::Status> {
    let channel = pb::AlarmChannel { name: name.to_owned(), target: Some(target), ..Default::default() };
    let request = pb::CreateAlarmChannelRequest { channel: Some(channel) };
    Ok(hub.clients.alarms.clone().create_alarm_channel(request).await?.into_inner())
}

fn webhook(url: String, secret: &str) -> Target {
    Target::Webhook(Webhook { url, secret: secret.to_owned() })
}

async fn test(hub: &Hub, channel: &str) -> Result<pb::TestAlarmChannelResponse, tonic::Status> {
    let request = pb::TestAlarmChannelRequest { channel: channel.to_owned() };
    Ok(hub.clients.alarms.clone().test_alarm_channel(request).await?.into_inner())
}

async fn deliveries(hub: &Hub) -> Vec<pb::AlarmDelivery> {
    let request = pb::ListAlarmDeliveriesRequest::default();
    hub.clients.alarms.clone().list_alarm_deliveries(request).await.unwrap().into_inner().deliveries
}

/// Waits until the newest delivery stands so.
async fn until_newest(hub: &Hub, state: AlarmDeliveryState) -> pb::AlarmDelivery {
    let newest = || async { deliveries(hub).await.into_iter().next().filter(|newest| newest.state() == state) };
    until(&state.word(), newest).await
}

fn assert_signed(posted: &Posted, secret: &str) {
    let time = posted.header("x-larder-timestamp");
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{time}.{}", posted.body).as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(posted.header("x-larder-signature"), format!("sha256={hex}"));
    let age = jiff::Timestamp::now().as_second() - time.parse::<i64>().unwrap();
    assert!((0..60).contains(&age), "{age} s");
}

/// What the documentation's Python says of it.
fn documented_check(posted: &Posted, secret: &str) -> String {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/alarms.md")).unwrap();
    let (_, rest) = text.split_once("```python\n").unwrap();
    let program = rest.split_once("```").unwrap().0;
    let ask = "\nimport json, sys\nprint(is_from_larder(sys.argv[1], json.loads(sys.argv[2]), sys.argv[3].encode()))\n";
    let headers = serde_json::json!({
        "X-Larder-Timestamp": posted.header("x-larder-timestamp"),
        "X-Larder-Signature": posted.header("x-larder-signature"),
    });
    let program = format!("{program}{ask}");
    let output = std::process::Command::new("python3")
        .args(["-c", &program, secret, &headers.to_string(), &posted.body])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_signed_and_told_in_order_though_it_was_down_and_the_hub_restarted() {
    let receiver = Receiver::start().await;
    let address = receiver.address;
    drop(receiver);
    let hub = Hub::start().await;
    add_sensor(&hub, "fridge").await;
    let added = add(&hub, "house", webhook(format!("http://{address}/in"), "")).await.unwrap();
    let Some(Target::Webhook(Webhook { secret, .. })) = added.target else { panic!("{added:?}") };
    assert_eq!(secret.len(), 64, "made by the hub, and told once");
    add_rule(&hub, "warm", above("fridge", 0)).await.unwrap();
    hear(&hub, "fridge", 8.0);
    let waiting = until("a failed attempt", || async {
        deliveries(&hub).await.into_iter().find(|delivery| delivery.attempts > 0)
    })
    .await;
    assert_eq!((waiting.state(), waiting.occasion()), (AlarmDeliveryState::Waiting, AlarmOccasion::Raised));
    assert!(waiting.error.contains("connecting") && waiting.next_attempt_at.is_some(), "{waiting:?}");

    let hub = hub.restart().await;
    hear(&hub, "fridge", 1.0);
    until("the end to wait too", || async { (deliveries(&hub).await.len() == 2).then_some(()) }).await;
    let receiver = Receiver::start_at(address).await;
    until_newest(&hub, AlarmDeliveryState::Delivered).await;
    let posted = receiver.posted();
    let told: Vec<_> = posted.iter().map(|posted| posted.json()["occasion"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told, ["raised", "cleared"]);
    for posted in &posted {
        assert_signed(posted, &secret);
        assert_eq!((posted.path.as_str(), posted.header("content-type")), ("/in", "application/json".to_owned()));
    }
    assert_eq!(posted[0].header("x-larder-delivery"), waiting.id);
    assert_eq!(documented_check(&posted[0], &secret), "True");
    assert_eq!(documented_check(&posted[0], "another secret"), "False");
    let alarm = &posted[1].json()["alarm"];
    assert_eq!((&alarm["rule"], &alarm["worst_celsius"]), (&"warm".into(), &8.0.into()));
    assert!(alarm["cleared_at"].is_string());
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_told_while_the_database_is_away_and_the_rows_follow() {
    let receiver = Receiver::start().await;
    let hub = Hub::start().await;
    add_sensor(&hub, "fridge").await;
    add(&hub, "house", webhook(format!("http://{}/in", receiver.address), SECRET)).await.unwrap();
    add_rule(&hub, "warm", above("fridge", 0)).await.unwrap();
    let pid = std::fs::read_to_string(hub.state().join("postgres/data/postmaster.pid")).unwrap();
    let pid = pid.lines().next().unwrap().to_owned();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    hear(&hub, "fridge", 8.0);
    until("the message", || async { (receiver.posted().len() == 1).then_some(()) }).await;
    let row = until("its row", || async {
        let request = pb::ListAlarmDeliveriesRequest::default();
        hub.clients.alarms.clone().list_alarm_deliveries(request).await.ok()?.into_inner().deliveries.pop()
    })
    .await;
    assert_eq!((row.state(), row.attempts), (AlarmDeliveryState::Delivered, 1));
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_each_channel_the_newest_thousand_finished_deliveries_are_kept() {
    let receiver = Receiver::start().await;
    let hub = Hub::start().await;
    add_sensor(&hub, "fridge").await;
    add(&hub, "house", webhook(format!("http://{}/in", receiver.address), SECRET)).await.unwrap();
    add_rule(&hub, "warm", above("fridge", 0)).await.unwrap();
    hear(&hub, "fridge", 8.0);
    until_newest(&hub, AlarmDeliveryState::Delivered).await;

    let rows = rows(&hub).await;
    let older = "INSERT INTO jobs (id, kind, lane, about, title, input, created_at, next_attempt_at, finished_at, outcome) \
                 SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, kind, lane, about, title, \
                 input, created_at, next_attempt_at, finished_at, outcome FROM jobs, generate_series(1, 1200) n";
    assert_eq!(rows.execute(older, &[]).await.unwrap(), 1200);
    hear(&hub, "fridge", -8.0);
    until("the old ones to go", || async {
        let left = rows.query_one("SELECT count(*), min(id::text) FROM jobs", &[]).await.unwrap();
        // The two of the hub, and the newest of the others.
        let oldest = format!("00000000-0000-7000-8000-{:012x}", 1200 - 998 + 1);
        ((left.get::<_, i64>(0), left.get::<_, String>(1)) == (1000, oldest)).then_some(())
    })
    .await;
    hub.stop().await;
}

/// The hub's own database.
async fn rows(hub: &Hub) -> tokio_postgres::Client {
    let mut config = tokio_postgres::Config::new();
    config.host_path(hub.state().join("postgres/run")).user("larder").dbname("postgres");
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_final_redirects_are_not_followed_and_plain_http_stays_in_the_house() {
    let receiver = Receiver::start().await;
    let hub = Hub::start().await;
    add_sensor(&hub, "fridge").await;
    let at = |path: &str| webhook(format!("http://{}{path}", receiver.address), SECRET);
    add(&hub, "gone", at("/gone")).await.unwrap();
    add_rule(&hub, "warm", above("fridge", 0)).await.unwrap();
    hear(&hub, "fridge", 8.0);
    let refused = until_newest(&hub, AlarmDeliveryState::Failed).await;
    assert_eq!((refused.attempts, refused.error.as_str()), (1, "answered 410 Gone"));
    add(&hub, "away", at("/away")).await.unwrap();
    let error = test(&hub, "away").await.unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition);
    assert!(error.message().contains("302 Found; redirects are not followed"), "{}", error.message());
    add(&hub, "cloud", webhook("http://169.254.169.254/latest".to_owned(), SECRET)).await.unwrap();
    let error = test(&hub, "cloud").await.unwrap_err();
    assert!(error.message().contains("use https"), "{}", error.message());
    let paths: Vec<_> = receiver.posted().into_iter().map(|posted| posted.path).collect();
    assert_eq!(paths, ["/gone", "/away"]);
    let error = add(&hub, "bus", Target::Mqtt(MqttTopic { topic: "a".to_owned() })).await.unwrap_err();
    assert!(error.message().contains("set mqtt.url"), "{}", error.message());
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_e_mail_goes_encrypted_with_its_password_and_a_refused_one_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = Trusted::new(folder.path());
    let hub = Hub::start_with(&[&format!("alarms.ca_file={}", trusted.authority.display())]).await;
    let server = MailServer::start(Some(trusted.server())).await;
    add_sensor(&hub, "fridge").await;
    let email = |password: &str| {
        Target::Email(Email {
            server: format!("smtp://ann@localhost:{}", server.address.port()),
            password: password.to_owned(),
            from: "larder@example.org".to_owned(),
            to: vec!["Ann <ann@example.org>".to_owned(), "bob@example.org".to_owned()],
        })
    };
    add(&hub, "wrong", email("guess")).await.unwrap();
    let error = test(&hub, "wrong").await.unwrap_err();
    assert!(error.message().contains("wrong password") && !error.message().contains("guess"), "{}", error.message());
    let request = pb::DeleteAlarmChannelRequest { channel: "wrong".to_owned() };
    hub.clients.alarms.clone().delete_alarm_channel(request).await.unwrap();
    add(&hub, "mail", email("hush")).await.unwrap();
    assert_eq!(test(&hub, "mail").await.unwrap().answer, "taken as 4711");
    add_rule(&hub, "warm", above("fridge", 0)).await.unwrap();
    hear(&hub, "fridge", 8.0);
    let delivered = until_newest(&hub, AlarmDeliveryState::Delivered).await;
    let letters = server.letters();
    let letter = &letters[1];
    assert!(letter.was_encrypted);
    assert_eq!((letter.user.as_str(), letter.from.as_str()), ("ann", "larder@example.org"));
    assert_eq!(letter.to, ["ann@example.org", "bob@example.org"]);
    for part in ["Subject: Alarm: warm", "fridge is above 5.0", "Auto-Submitted: auto-generated", &delivered.id] {
        assert!(letter.text.contains(part), "{part:?} is not in {}", letter.text);
    }
    server.refuse(Some("450 4.2.1 busy"));
    hear(&hub, "fridge", 1.0);
    let busy = until("a failed attempt", || async {
        deliveries(&hub)
            .await
            .into_iter()
            .find(|delivery| delivery.occasion() == AlarmOccasion::Cleared && delivery.attempts > 0)
    })
    .await;
    assert!(busy.state() == AlarmDeliveryState::Waiting && busy.error.contains("busy"), "{busy:?}");
    server.refuse(Some("550 5.1.1 no such mailbox"));
    let refused = until_newest(&hub, AlarmDeliveryState::Failed).await;
    assert!(refused.attempts > 1 && refused.error.contains("no such mailbox"), "{refused:?}");
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ntfy_and_the_broker_get_it_and_no_secret_is_ever_told() {
    let receiver = Receiver::start().await;
    let broker = Broker::start().await;
    let hub = Hub::start_with(&[&format!("mqtt.url={}", broker.url())]).await;
    add_sensor(&hub, "fridge").await;
    let url = format!("http://{}/base/my-fridge", receiver.address);
    add(&hub, "phone", Target::Ntfy(Ntfy { url, token: SECRET.to_owned() })).await.unwrap();
    add(&hub, "bus", Target::Mqtt(MqttTopic { topic: "house/alarms".to_owned() })).await.unwrap();
    let listener = broker.listen("house/alarms");
    until("both", || async {
        test(&hub, "bus").await.ok()?;
        listener.json("house/alarms")
    })
    .await;
    add_rule(&hub, "warm", above("fridge", 0)).await.unwrap();
    hear(&hub, "fridge", 8.0);
    let told =
        until("the alarm", || async { listener.json("house/alarms").filter(|told| told["occasion"] == "raised") })
            .await;
    assert_eq!(told["alarm"]["rule"], "warm");
    let posted = until("ntfy", || async { receiver.posted().pop() }).await;
    assert_eq!((posted.path.as_str(), posted.header("authorization")), ("/base/", format!("Bearer {SECRET}")));
    let body = posted.json();
    assert_eq!((&body["topic"], &body["title"]), (&"my-fridge".into(), &"Alarm: warm".into()));
    let folder = hub.state().to_str().unwrap().to_owned();
    for words in [&["alarm", "channel", "list", "--json"][..], &["alarm", "deliveries"], &["alarm", "test", "bus"]] {
        let (ended, text) = larderctl(&folder, words).await;
        ended.unwrap_or_else(|failure| panic!("{words:?}: {failure}"));
        assert!(text.contains("bus") && !text.contains(SECRET), "{text}");
    }
    hub.stop().await;
}

/// Text of a thermometer, until its value is known.
async fn send_text(home: &Home, clients: &Clients, celsius: f64) {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    until("the reading", || async {
        socket.send_to(format!("fridge {celsius}C").as_bytes(), home.thermometers()).await.unwrap();
        let request = pb::GetSensorRequest { sensor: "fridge".to_owned() };
        let sensor = clients.temperatures.clone().get_sensor(request).await.ok()?.into_inner();
        (sensor.latest?.celsius? == celsius).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_hub_goes_on_telling_and_its_log_holds_no_secret() {
    let receiver = Receiver::start().await;
    let address = receiver.address;
    drop(receiver);
    let home = Home::new(&[]).with_variable("LARDER_LOG", "debug");
    let daemon = home.start();
    let clients = home.clients().await;
    let device = pb::sensor_source::TextDevice { address: "127.0.0.1".to_owned(), device: "fridge".to_owned() };
    let source = pb::SensorSource { source: Some(pb::sensor_source::Source::Text(device)) };
    let sensor = pb::Sensor { name: "fridge".to_owned(), source: Some(source), ..Default::default() };
    let request = pb::CreateSensorRequest { sensor: Some(sensor) };
    clients.temperatures.clone().create_sensor(request).await.unwrap();
    let url = |path: &str| format!("http://{address}{path}");
    for (name, target) in [
        ("house", webhook(url("/in"), SECRET)),
        ("phone", Target::Ntfy(Ntfy { url: url("/fridge"), token: SECRET.to_owned() })),
        (
            "mail",
            Target::Email(Email {
                server: "smtp://ann@127.0.0.1:9".to_owned(),
                password: SECRET.to_owned(),
                from: "larder@example.org".to_owned(),
                to: vec!["ann@example.org".to_owned()],
            }),
        ),
    ] {
        let channel = pb::AlarmChannel { name: name.to_owned(), target: Some(target), ..Default::default() };
        let request = pb::CreateAlarmChannelRequest { channel: Some(channel) };
        let added = clients.alarms.clone().create_alarm_channel(request).await.unwrap().into_inner();
        assert!(!format!("{added:?}").contains(SECRET), "{added:?}");
    }
    let rule = pb::AlarmRule { name: "warm".to_owned(), condition: Some(above("fridge", 0)), ..Default::default() };
    let request = pb::CreateAlarmRuleRequest { rule: Some(rule) };
    clients.alarms.clone().create_alarm_rule(request).await.unwrap();
    send_text(&home, &clients, 8.0).await;
    until("every channel to be tried", || async {
        let request = pb::ListAlarmDeliveriesRequest::default();
        let all = clients.alarms.clone().list_alarm_deliveries(request).await.unwrap().into_inner().deliveries;
        (all.len() == 3 && all.iter().all(|delivery| delivery.attempts > 0)).then_some(())
    })
    .await;
    daemon.kill().await;
    let receiver = Receiver::start_at(address).await;
    let daemon = home.start();
    home.clients().await;
    until("the messages", || async { (receiver.posted().len() == 2).then_some(()) }).await;
    for posted in receiver.posted() {
        match posted.path.as_str() {
            "/in" => assert_signed(&posted, SECRET),
            _ => assert_eq!(posted.header("authorization"), format!("Bearer {SECRET}")),
        }
    }
    daemon.stop().await;
    let log = home.log();
    assert!(log.contains("a job failed; it is tried again") && !log.contains(SECRET));
}
