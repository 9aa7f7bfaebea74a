//! The OpenFeature SDK of Rust with its OFREP provider, against the server in `FLAGS_URL`.

use std::collections::BTreeSet;

use open_feature::{EvaluationContext, EvaluationErrorCode, OpenFeature, StructValue};
use open_feature_ofrep::{OfrepOptions, OfrepProvider};
use reqwest::header::HeaderMap;

fn user(key: &str) -> EvaluationContext {
    EvaluationContext::default().with_targeting_key(key)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let var = |name| std::env::var(name).expect(name);
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {}", var("FLAGS_TOKEN")).parse().unwrap());
    let options = OfrepOptions { base_url: var("FLAGS_URL"), headers, ..Default::default() };
    let mut api = OpenFeature::singleton_mut().await;
    api.set_provider(OfrepProvider::new(options).await.unwrap()).await;
    let client = api.create_client();
    drop(api);

    let gold = user("u1").with_custom_field("tier", "gold");
    let tin = user("u1").with_custom_field("tier", "tin");
    for (context, color) in [(&gold, "blue"), (&tin, "red")] {
        let got = client.get_string_details("color", Some(context), None).await.unwrap();
        assert_eq!((got.value.as_str(), got.variant.as_deref()), (color, Some(color)));
    }
    let tin = Some(&tin);
    let off = client.get_bool_details("team/new-checkout", tin, None).await.unwrap();
    assert_eq!((off.value, off.variant.as_deref()), (false, Some("off")));
    assert_eq!(client.get_float_value("price", tin, None).await.unwrap(), 10.0);
    assert_eq!(client.get_int_value("most", tin, None).await.unwrap(), 10);
    let layout = client.get_struct_value::<StructValue>("layout", tin, None).await.unwrap();
    assert_eq!(layout.fields["columns"], open_feature::Value::Int(3));
    // This SDK (0.3.0) has no defaults: where there is no value it gives an error, and its provider
    // (0.1.2) calls all of status 400 an invalid context and all else that fails a parse error.
    for (key, code) in [
        ("nope", EvaluationErrorCode::FlagNotFound),
        ("broken", EvaluationErrorCode::InvalidContext),
        ("gone", EvaluationErrorCode::ParseError),
        ("color", EvaluationErrorCode::ParseError),
    ] {
        let error = client.get_bool_value(key, tin, None).await.unwrap_err();
        assert_eq!(error.code, code, "{key}");
    }
    let mut suits = BTreeSet::new();
    for number in 0..40 {
        let context = user(&format!("u{number}"));
        suits.insert(client.get_string_value("suit", Some(&context), None).await.unwrap());
    }
    assert_eq!(suits.len(), 4, "{suits:?}");
    println!("Rust: 11 checks passed");
}
