//! Being let in: headers, passwords, tokens, certificates. What is secret is never shown.

use std::sync::Arc;

use cutover_core::metric::Found;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa};
use rcgen::{KeyPair, KeyUsagePurpose};
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use tokio_rustls::TlsAcceptor;

use crate::server::{Answer, Request, Server, answer};
use crate::setting::Setting;

fn depth(_: &Request) -> Answer {
    answer("200 OK", "{\"queue\": {\"depth\": 7.5}}")
}

fn value(url: &str, more: &str) -> Setting {
    Setting::of(&format!(
        "max: 100\nhttp:\n  url: '{url}/stats?version={{version}}&of={{app}}'\n  \
         value: /queue/depth\n{more}"
    ))
}

#[tokio::test]
async fn a_number_is_found_in_a_document() {
    let server = Server::start(depth).await;
    let reading = value(&server.url(), "").look().await.unwrap();
    assert_eq!(reading.found, Found::Value(7.5));
    let request = server.last();
    assert_eq!(request.head.lines().next(), Some("GET /stats?version=v2&of=shop HTTP/1.1"));
    assert_eq!(request.header("authorization"), None);
    let server = Server::start(|_| answer("200 OK", "{\"queue\": {}}")).await;
    assert!(value(&server.url(), "").nothing().await.contains("/queue/depth"));
}

#[tokio::test]
async fn headers_passwords_and_tokens_are_sent() {
    let server = Server::start(depth).await;
    let url = server.url();
    let mut header = value(&url, "  auth: { header: { name: X-Scope-OrgID, file: org } }");
    header.write("org", "team-a\n");
    header.look().await.unwrap();
    assert_eq!(server.last().header("x-scope-orgid"), Some("team-a"));
    header.write("org", "team-b");
    header.look().await.unwrap();
    assert_eq!(server.last().header("x-scope-orgid"), Some("team-b"), "read at each look");
    let mut basic = value(&url, "  auth: { basic: { user: Aladdin, password-file: pw } }");
    basic.write("pw", "open sesame\n");
    basic.look().await.unwrap();
    let sent = server.last().header("authorization").map(str::to_owned);
    assert_eq!(sent.as_deref(), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), "as in RFC 7617");
    let mut bearer = value(&url, "  auth: { bearer-file: token }");
    bearer.write("token", "mF_9.B5f-4.1JqM");
    bearer.look().await.unwrap();
    assert_eq!(server.last().header("authorization"), Some("Bearer mF_9.B5f-4.1JqM"));
}

#[tokio::test]
async fn secrets_are_not_shown_also_if_the_server_repeats_them() {
    let server = Server::start(|request| {
        let sent = request.header("authorization").unwrap_or("nothing");
        answer("401 Unauthorized", &format!("wrong: {sent} and hunter2"))
    })
    .await;
    let mut bearer = value(&server.url(), "  auth: { bearer-file: token }");
    bearer.write("token", "top-secret");
    bearer.sides.confidential = vec!["hunter2".to_owned()];
    let why = bearer.failure().await;
    assert!(why.contains("401 Unauthorized: wrong: Bearer [redacted] and [redacted]"), "{why}");
    assert!(why.contains("look at `auth`"), "{why}");
    let mut basic = value(&server.url(), "  auth: { basic: { user: me, password-file: pw } }");
    basic.write("pw", "top-secret");
    let why = basic.failure().await;
    assert!(why.contains("wrong: Basic [redacted]"), "{why}");
    assert!(!format!("{:?}", bearer.sides).contains("hunter2"));
}

#[tokio::test]
async fn files_of_secrets_that_are_no_use_are_named_but_not_shown() {
    let server = Server::start(depth).await;
    let mut bearer = value(&server.url(), "  auth: { bearer-file: token }");
    let why = bearer.failure().await;
    assert!(
        why.contains("cannot read the bearer token") && why.contains("/token: No such"),
        "{why}"
    );
    for (content, what) in [("", "is empty"), ("top\nsecret", "more than one line")] {
        bearer.write("token", content);
        let why = bearer.failure().await;
        assert!(why.contains(what) && !why.contains("secret"), "{why}");
    }
    bearer.write("token", &"x".repeat(1024 * 1024 + 1));
    let why = bearer.failure().await;
    assert!(why.contains("larger than 1 MiB"), "{why}");
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn signed(
    by: &Authority,
    name: &str,
    usage: ExtendedKeyUsagePurpose,
) -> (rcgen::Certificate, KeyPair) {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.extended_key_usages = vec![usage];
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, by).unwrap(), key)
}

/// A server for this name; it lets only those in whom `clients` has signed.
async fn guarded(by: &Authority, name: &str, clients: Option<&Authority>) -> Server {
    let (certificate, key) = signed(by, name, ExtendedKeyUsagePurpose::ServerAuth);
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&ring))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.as_ref().der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), ring);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    Server::with(Some(TlsAcceptor::from(Arc::new(config))), depth).await
}

fn https(server: &Server, tls: &str) -> Setting {
    let url = format!("https://{}", server.address);
    value(&url, &format!("  tls: {{ {tls} }}"))
}

#[tokio::test]
async fn a_server_is_trusted_by_the_authority_that_the_spec_names() {
    let (ours, other) = (authority(), authority());
    let server = guarded(&ours, "127.0.0.1", None).await;
    let mut setting = https(&server, "ca: ca.pem");
    setting.write("ca.pem", &ours.pem());
    assert_eq!(setting.look().await.unwrap().found, Found::Value(7.5));
    setting.write("ca.pem", &other.pem());
    let why = setting.failure().await;
    assert!(why.contains("certificate"), "{why}");
    setting.write("ca.pem", "no certificate");
    assert!(setting.failure().await.contains("holds no certificate in PEM"));
    let elsewhere = guarded(&ours, "127.0.0.2", None).await;
    let mut setting = https(&elsewhere, "ca: ca.pem");
    setting.write("ca.pem", &ours.pem());
    let why = setting.failure().await;
    assert!(why.contains("not valid for name"), "{why}");
    assert_eq!(elsewhere.requests.lock().unwrap().len(), 0, "nothing was sent");
}

#[tokio::test]
async fn the_machines_authorities_do_not_know_ours() {
    let server = guarded(&authority(), "127.0.0.1", None).await;
    let why = value(&format!("https://{}", server.address), "").failure().await;
    let told = why.contains("UnknownIssuer") || why.contains("trusts no authority");
    assert!(told, "{why}");
}

#[tokio::test]
async fn a_client_shows_its_certificate() {
    let (servers, clients) = (authority(), authority());
    let server = guarded(&servers, "127.0.0.1", Some(&clients)).await;
    let mut setting = https(&server, "ca: ca.pem, cert: client.pem, key: client.key");
    setting.write("ca.pem", &servers.pem());
    let write = |setting: &Setting, by: &Authority| {
        let (certificate, key) = signed(by, "cutover", ExtendedKeyUsagePurpose::ClientAuth);
        setting.write("client.pem", &certificate.pem());
        setting.write("client.key", &key.serialize_pem());
    };
    write(&setting, &clients);
    assert_eq!(setting.look().await.unwrap().found, Found::Value(7.5));
    write(&setting, &servers);
    assert!(!setting.failure().await.contains("not done after"));
    setting.write("client.key", "no key");
    assert!(setting.failure().await.contains("holds no private key in PEM"));
    setting.write("client.key", &KeyPair::generate().unwrap().serialize_pem());
    let why = setting.failure().await;
    assert!(why.contains("cannot be used together"), "{why}");
    let mut without = https(&server, "ca: ca.pem");
    without.write("ca.pem", &servers.pem());
    assert!(!without.failure().await.contains("not done after"));
    assert_eq!(server.requests.lock().unwrap().len(), 1, "only one was let in");
}
