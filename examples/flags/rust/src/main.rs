//! A shop that asks which checkout each user gets, and tells what came of it.
//!
//!     FLAGS_URL=http://127.0.0.1:8016 cargo run

use std::error::Error;

use open_feature::{EvaluationContext, OpenFeature};
use open_feature_ofrep::{OfrepOptions, OfrepProvider};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

/// Tells Cutover who saw what, and what came of it. In a shop: in the background, many at once.
async fn tell(url: &str, headers: &HeaderMap, event: Value) -> reqwest::Result<()> {
    let request = reqwest::Client::new().post(format!("{url}/v1/track")).headers(headers.clone());
    request.json(&json!({"events": [event]})).send().await?.error_for_status().map(drop)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::var("FLAGS_URL").unwrap_or("http://127.0.0.1:8016".into());
    let mut headers = HeaderMap::new();
    // As in the file of `cutover flag serve --tokens`.
    if let Ok(token) = std::env::var("FLAGS_TOKEN") {
        headers.insert("authorization", format!("Bearer {token}").parse()?);
    }
    let options =
        OfrepOptions { base_url: url.clone(), headers: headers.clone(), ..OfrepOptions::default() };
    let mut api = OpenFeature::singleton_mut().await;
    api.set_provider(OfrepProvider::new(options).await?).await;
    let client = api.create_client();
    drop(api);

    for (user, plan, pays) in
        [("ann", "gold", 20), ("bob", "tin", 0), ("cem", "tin", 5), ("dia", "gold", 0)]
    {
        let context =
            EvaluationContext::default().with_targeting_key(user).with_custom_field("plan", plan);
        // This SDK gives errors and no defaults: what the flag is without an answer is said here.
        let got = client.get_bool_details("new-checkout", Some(&context), None).await;
        let (value, variant) = match got {
            Ok(details) => (details.value, details.variant.unwrap_or_default()),
            Err(_) => (false, String::new()),
        };
        println!("{user}: {} checkout ({variant})", if value { "new" } else { "old" });
        if variant.is_empty() {
            continue; // Nobody chose a variant, so there is nothing to compare.
        }
        // Once the user really sees it; attributes are what reports can split by.
        let exposure = json!({"kind": "exposure", "targetingKey": user, "flag": "new-checkout",
            "variant": variant, "attributes": {"plan": plan}});
        tell(&url, &headers, exposure).await?;
        if pays > 0 {
            let paid =
                json!({"kind": "outcome", "targetingKey": user, "name": "paid", "value": pays});
            tell(&url, &headers, paid).await?;
        }
    }
    Ok(())
}
