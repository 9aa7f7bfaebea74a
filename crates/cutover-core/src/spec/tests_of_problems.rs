//! Everything that is wrong, in one run, each with its place.

use proptest::prelude::*;

use super::{Problem, Source, Spec, parse, problems};

const WHOLE: &str = include_str!("../../../../examples/cutover.yaml");

fn source(name: &str, text: &str) -> Source {
    Source { name: name.to_owned(), text: text.to_owned() }
}
fn told(problems: &[Problem]) -> String {
    let told = |p: &Problem| match &p.help {
        Some(help) => format!("{p} ({help})"),
        None => p.to_string(),
    };
    problems.iter().map(told).collect::<Vec<_>>().join("\n")
}
fn wrong(text: &str) -> String {
    told(&parse(&source("cutover.yaml", text), &[]).unwrap_err())
}

#[test]
fn mistakes_of_every_kind_at_every_depth_are_told_in_one_run() {
    let text = "\
instances: many
listen: localhost
platfrom: docker
release:
  command: serve
  env: { MODE: [loud], good: 1 }
  secrets:
    KEY: {}
    TOKEN: { file: token, form: env }
  comand: [serve]
health: { path: /health, interval: soon, intervall: 1s }
drain: { interval: 1s }
pattern: canery
patterns:
  canary: { steps: [5%, 250%, 50%], stiky: cookie, bake: }
  rolling: { batch: -1, surge: perhaps }
tls: {}
judge: { min-requests: 1.5 }
hooks: { after: [{}, { http: 1, run: [x] }, nothing] }
instances: 2
";
    insta::assert_snapshot!(wrong(text), @r#"
    cutover.yaml:1:1: the key `app` is missing (add `app`: the app's name)
    cutover.yaml:1:12: expected a whole number
    cutover.yaml:2:9: "localhost" is not an address with a port (write it like 127.0.0.1:8080)
    cutover.yaml:3:1: unknown key `platfrom` (did you mean `platform`?)
    cutover.yaml:5:12: expected a list (write it like `[one, two]`)
    cutover.yaml:6:16: expected a text
    cutover.yaml:8:10: the key `file` is missing (add `file`: the file that holds it, relative to the spec's folder; read again at each start)
    cutover.yaml:9:27: unknown key `form` (known here: file, as)
    cutover.yaml:10:3: unknown key `comand` (did you mean `command`?)
    cutover.yaml:11:36: "soon" is not a duration: write it like 250ms, 30s, 10m or 1h 30m
    cutover.yaml:11:42: unknown key `intervall` (did you mean `interval`?)
    cutover.yaml:12:10: unknown key `interval` (known here: requests, upgraded, stop)
    cutover.yaml:13:10: unknown value `canery` (did you mean `canary`?)
    cutover.yaml:15:25: "250%" is not a share: write a percentage from 0% to 100% in steps of 0.1%
    cutover.yaml:15:37: unknown key `stiky` (did you mean `sticky`?)
    cutover.yaml:15:56: expected a text, and there is nothing
    cutover.yaml:16:21: expected a whole number from 0 to 4294967295
    cutover.yaml:16:32: expected true or false
    cutover.yaml:17:1: `tls` is reserved for a later version (remove it: this build has nothing behind it)
    cutover.yaml:18:24: expected a whole number
    cutover.yaml:19:18: a hook is either `run` or `http` (write `{ run: [./smoke.sh] }`)
    cutover.yaml:19:22: a hook is either `run` or `http` (write `{ run: [./smoke.sh] }`)
    cutover.yaml:19:45: expected keys with values (write it like `{ key: value }`)
    cutover.yaml:20:1: the key `instances` is here a second time (the first one is in line 1)
    "#);
}

#[test]
fn rules_are_told_beside_mistakes_with_the_place_of_what_they_speak_of() {
    let text = "\
app: shop
instances: 0
path: shop
release:
  command: []
  env: { A-B: x, \"1\": y }
  pass: [GOOD, A B]
  colour: red
health: { path: health, timeout: 0s, unhealthy-after: 0 }
patterns:
  rolling: { batch: 0 }
  canary: { steps: [50%, 5%], sticky: header }
  shadow: { then: shadow }
hooks: { after-ready: [{ run: [ok] }, {}] }
pattern: feature-flag
";
    insta::assert_snapshot!(wrong(text), @r#"
    cutover.yaml:2:12: `instances` must be from 1 to 1000 (to stop an app use `cutover down`)
    cutover.yaml:3:7: `host` and `path` need `listen` (add `listen: 127.0.0.1:8080`)
    cutover.yaml:3:7: `path` must begin with `/` (write it like `/shop`)
    cutover.yaml:5:12: `release` has no command (add `command: ["./serve", "--port", "{port}"]`)
    cutover.yaml:6:15: "A-B" is not a name for an environment variable (use A-Z, 0-9 and _)
    cutover.yaml:6:23: "1" is not a name for an environment variable (use A-Z, 0-9 and _)
    cutover.yaml:7:16: "A B" is not a name for an environment variable (use A-Z, 0-9 and _)
    cutover.yaml:8:3: unknown key `colour` (known here: command, image, directory, env, pass, secrets)
    cutover.yaml:9:17: `health.path` must begin with `/` (write it like `/health`)
    cutover.yaml:9:34: `health.interval` and `health.timeout` must not be 0 (try 1s and 2s)
    cutover.yaml:9:55: `healthy-after` and `unhealthy-after` must be at least 1 (try 2 and 3)
    cutover.yaml:11:21: `rolling.batch` must be at least 1 (how many instances are replaced at a time)
    cutover.yaml:12:20: `canary.steps` must grow, from above 0% to at most 100% (write them like `[5%, 25%, 50%]`)
    cutover.yaml:12:39: `sticky: header` and `header` go together (write `sticky: header, header: x-user-id`, or neither)
    cutover.yaml:13:19: `shadow.then` cannot be shadow again (name another pattern, or leave it out)
    cutover.yaml:14:39: a hook is either `run` or `http` (write `{ run: [./smoke.sh] }`)
    cutover.yaml:15:10: an app without `listen` has no traffic to share (use `pattern: rolling` or `big-bang`, or say where users reach it: `listen: 127.0.0.1:8080`)
    cutover.yaml:15:10: `pattern: feature-flag` needs the flag's key (add `feature-flag: { flag: KEY }`)
    "#);
}

#[test]
fn mistakes_in_metrics_are_told_with_their_places() {
    let text = "\
app: shop
release: { command: [serve] }
judge:
  metrics:
    - name: Checkout
      intervall: 15s
      command: [x]
      max: much
    - interval: 5s
      prometeus: { url: \"http://127.0.0.1:9090\" }
    - name: tokens
      max: 1
      http: { url: \"http://127.0.0.1\", value: /x, auth: { bearer: secret, heeder: {} } }
    - name: org
      max: .inf
      http: { value: /x, auth: { header: { name: X } }, tls: { cacert: ca.pem } }
";
    insta::assert_snapshot!(wrong(text), @r#"
    cutover.yaml:5:13: metric name "Checkout" is not valid: use 1 to 40 of a-z, 0-9 and '-', not at either end
    cutover.yaml:6:7: unknown key `intervall` (did you mean `interval`?)
    cutover.yaml:8:12: expected a number
    cutover.yaml:9:7: the key `name` is missing (add `name`: its name, unique within the spec)
    cutover.yaml:10:7: unknown key `prometeus` (did you mean `prometheus`?)
    cutover.yaml:13:59: unknown key `bearer` (did you mean `bearer-file`?)
    cutover.yaml:13:75: unknown key `heeder` (did you mean `header`?)
    cutover.yaml:15:12: expected a number
    cutover.yaml:16:13: the key `url` is missing (add `url`: where it is; `http://` or `https://`)
    cutover.yaml:16:42: the key `file` is missing (add `file`: the file that holds its value)
    cutover.yaml:16:64: unknown key `cacert` (did you mean `cert`?)
    "#);
}

#[test]
fn rules_for_metrics_are_told_with_their_places() {
    let text = "\
app: shop
release: { command: [serve] }
judge:
  metrics:
    - { name: a, interval: 500ms, deadline: 0s, failures: 0, command: [x], max: 1 }
    - { name: a, command: [x], min: 2, max: 1 }
    - { name: none, max: 1 }
    - name: two
      command: [x]
      http: { url: \"http://127.0.0.1\", value: x }
    - name: counted
      max: 1
      prometheus: { url: http://me:secret@host/#x, requests: up, latency: \"{release}\" }
    - name: both
      prometheus: { url: ftp://host, value: up, requests: \"{version}\", errors: \"{version}\" }
    - { name: nothing, prometheus: { url: \"http://{version}/?x\" } }
    - name: auth
      min: 0
      http:
        url: http://host
        value: \"\"
        auth: { header: { name: Host, file: x }, basic: { user: \"a:b\", password-file: x } }
        tls: { cert: client.pem }
";
    insta::assert_snapshot!(wrong(text), @r#"
    cutover.yaml:5:15: there are several metrics named `a` (their names tell them apart: change one)
    cutover.yaml:5:28: a metric's `interval` must be from 1s to 10m (try 15s)
    cutover.yaml:5:45: a metric's `deadline` must be above 0 and at most 10m (try 10s)
    cutover.yaml:5:59: a metric's `failures` must be from 1 to 100 (try 3)
    cutover.yaml:6:15: there are several metrics named `a` (their names tell them apart: change one)
    cutover.yaml:6:45: `min` must not be above `max` (nothing would be good)
    cutover.yaml:7:7: a metric is exactly one of `prometheus`, `http` and `command` (write `prometheus: { url: "http://127.0.0.1:9090", value: QUERY }`)
    cutover.yaml:8:7: a metric is exactly one of `prometheus`, `http` and `command` (write `prometheus: { url: "http://127.0.0.1:9090", value: QUERY }`)
    cutover.yaml:8:7: a value needs a bound (add `max: 100`, `min`, or both)
    cutover.yaml:10:47: `http.value` must be a JSON pointer (write it like `/queue/depth`)
    cutover.yaml:12:12: `min` and `max` are for values; counters are compared with stable (leave them out, or give one `value`)
    cutover.yaml:13:26: `prometheus.url` must hold no user or password (use `auth`, with a file)
    cutover.yaml:13:26: `prometheus.url` must end with its path (leave out what follows `?` or `#`)
    cutover.yaml:13:62: `requests` and `errors` go together (errors are judged as a share of the requests: add the other query)
    cutover.yaml:13:62: `requests` does not tell candidate from stable (ask for a label of one version, like `{version="{version}"}`)
    cutover.yaml:14:7: a value needs a bound (add `max: 100`, `min`, or both)
    cutover.yaml:15:19: `prometheus` is either counters or a `value` (give `requests` and `errors`, `latency`, or all three; or one `value`)
    cutover.yaml:15:26: `prometheus.url` must begin with http:// or https:// (write it like http://127.0.0.1:9090)
    cutover.yaml:16:36: `prometheus` is either counters or a `value` (give `requests` and `errors`, `latency`, or all three; or one `value`)
    cutover.yaml:16:43: `prometheus.url` must name its host (`{version}` and the others belong into the path or query)
    cutover.yaml:16:43: `prometheus.url` must end with its path (leave out what follows `?` or `#`)
    cutover.yaml:22:15: `auth` is exactly one of `header`, `basic` and `bearer-file` (write `auth: { bearer-file: secrets/token }`)
    cutover.yaml:22:33: `auth.header.name` is not a header to be let in by (write it like `X-Scope-OrgID`)
    cutover.yaml:22:65: `auth.basic.user` must not hold a colon (the password stands in `password-file`)
    cutover.yaml:23:14: `tls` needs a URL with https:// (change `url`, or leave `tls` out)
    cutover.yaml:23:22: `cert` and `key` go together (write `tls: { cert: client.pem, key: client.key }`)
    "#);
    let many = "    - { name: NAME, command: [x], max: 1 }\n";
    let many: String = (0..17).map(|n| many.replace("NAME", &format!("m{n}"))).collect();
    let text = format!("app: shop\nrelease: {{ command: [serve] }}\njudge:\n  metrics:\n{many}");
    insta::assert_snapshot!(wrong(&text), @r#"
    cutover.yaml:5:5: `judge.metrics` holds more than 16 metrics (keep those that would stop a release)
    "#);
}

#[test]
fn what_follows_from_a_mistake_is_not_told() {
    // Each could break a rule, if what cannot be read were simply left out.
    let text = "\
app: shop
release: { command: [[serve]] }
listen: 8080
host: shop.localhost
pattern: feature-flag
patterns:
  canary: { steps: [5, 25], header: x-user, sticky: haeder }
  feature-flag: { flag: [new] }
hooks: { after: [{ run: 5 }] }
";
    insta::assert_snapshot!(wrong(text), @r#"
    cutover.yaml:2:22: expected a text
    cutover.yaml:3:9: "8080" is not an address with a port (write it like 127.0.0.1:8080)
    cutover.yaml:7:21: "5" is not a share: write a percentage from 0% to 100% in steps of 0.1%
    cutover.yaml:7:24: "25" is not a share: write a percentage from 0% to 100% in steps of 0.1%
    cutover.yaml:7:53: unknown value `haeder` (did you mean `header`?)
    cutover.yaml:8:25: expected a text
    cutover.yaml:9:25: expected a list (write it like `[one, two]`)
    "#);
    insta::assert_snapshot!(wrong("app: shop\nrelease: [serve]\n"), @r#"
    cutover.yaml:2:10: expected keys with values (write it like `{ key: value }`)
    "#);
    insta::assert_snapshot!(wrong(""), @r#"
    cutover.yaml:1:1: the key `app` is missing (add `app`: the app's name)
    cutover.yaml:1:1: the key `release` is missing (add `release`: what one instance runs)
    "#);
    insta::assert_snapshot!(wrong("- app\n"), @r#"
    cutover.yaml:1:1: expected keys with values (write it like `{ key: value }`)
    "#);
}

#[test]
fn a_key_is_found_where_it_stands_and_not_where_its_name_stands_first() {
    let text = "# intervall: a comment\napp: intervall\nrelease: { command: [intervall] }\n\
                health: { path: /intervall,\n  intervall: 1s }\ndrain: { intervall: 1s }\n";
    insta::assert_snapshot!(wrong(text), @r#"
    cutover.yaml:5:3: unknown key `intervall` (did you mean `interval`?)
    cutover.yaml:6:10: unknown key `intervall` (known here: requests, upgraded, stop)
    "#);
}

#[test]
fn overlays_are_looked_at_in_the_same_run_each_under_its_name() {
    let base = source("cutover.yaml", "app: Shop\nrelease: { comand: [serve] }\ninstances: 2\n");
    let overlay =
        source("cutover.production.yaml", "instances: none\nrelease: { env: { A: [] } }\n");
    let set = source("--set pattern", "pattern: cannary\n");
    let all = parse(&base, &[overlay, set]).unwrap_err();
    insta::assert_snapshot!(told(&all), @r#"
    cutover.yaml:1:6: app name "Shop" is not valid: use 1 to 40 of a-z, 0-9 and '-', not at either end
    cutover.yaml:2:12: unknown key `comand` (did you mean `command`?)
    cutover.production.yaml:1:12: expected a whole number
    cutover.production.yaml:2:22: expected a text
    --set pattern:1:10: unknown value `cannary` (did you mean `canary`?)
    "#);
    let broken = source("cutover.production.yaml", "a: b: c\n");
    let all = parse(&base, &[broken, source("--set x", "{")]).unwrap_err();
    insta::assert_snapshot!(told(&all), @r#"
    cutover.production.yaml:1:5: mapping values are not allowed in this context
    --set x:1:1: unclosed bracket '{'
    "#);
    // What an overlay replaces is not read any more.
    let mends = source("mends", "app: shop\nrelease: { command: [serve] }\n");
    let all = parse(&source("base", "app: [x]\nrelease:\n"), &[mends]);
    assert_eq!(all.unwrap().app.as_str(), "shop");
}

#[test]
fn texts_keep_their_form_with_and_without_overlays() {
    let base = "app: shop\nrelease:\n  command: [true, 1.10, 007, 0x1F, ~x]\n\
                \x20 env: { A: 1_000, B: yes, C: \"8080\", D: 2001-01-01, E: &e 1e3, F: *e }\n";
    for overlays in [vec![], vec![source("o", "instances: \"3\"\n")]] {
        let spec = parse(&source("cutover.yaml", base), &overlays).unwrap();
        assert_eq!(spec.release.command, ["true", "1.10", "007", "0x1F", "~x"]);
        let env: Vec<&str> = spec.release.env.values().map(String::as_str).collect();
        assert_eq!(env, ["1_000", "yes", "8080", "2001-01-01", "1e3", "1e3"]);
    }
}

#[test]
fn bounds_are_decimal() {
    let bounded = |max: &str| WHOLE.replace("      max: 0.8\n", &format!("      max: {max}\n"));
    for max in ["16", "2.5", "1e3"] {
        assert!(parse(&source("cutover.yaml", &bounded(max)), &[]).is_ok(), "{max}");
    }
    for max in ["0x10", ".inf", "many"] {
        assert!(wrong(&bounded(max)).contains("a number"), "{}", wrong(&bounded(max)));
    }
}

#[test]
fn many_problems_are_cut_and_counted() {
    let keys: String = (0..300).map(|n| format!("key{n}: 1\n")).collect();
    let all = parse(&source("cutover.yaml", &keys), &[]).unwrap_err();
    assert_eq!(all.len(), 51);
    assert_eq!(all[50].message, "and 252 more problems", "300 keys, app and release");
    // Values are told one round after the other.
    let values: String = (0..120).map(|n| format!("    K{n}: []\n")).collect();
    let text = format!("app: shop\nrelease:\n  command: [serve]\n  env:\n{values}");
    let all = parse(&source("cutover.yaml", &text), &[]).unwrap_err();
    assert_eq!((all.len(), all[0].place), (51, Some((5, 9))));
    assert_eq!(all[50].message, "and 70 more problems");
}

#[test]
fn deep_and_growing_files_end_soon() {
    let block: String = (0..5000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    let deep = ["[".repeat(100_000), "- ".repeat(50_000), "{a: ".repeat(300), block];
    for text in deep.iter().filter(|text| text.len() < 256 * 1024) {
        assert!(wrong(text).contains("nested more than 64 deep"), "{}", wrong(text));
    }
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..9 {
        let before = format!("*a{}, ", n - 1).repeat(10);
        bomb.push_str(&format!("a{n}: &a{n} [{before}]\n"));
    }
    assert!(!wrong(&bomb).is_empty());
}

/// Tokens that people mistake for others.
const TOKENS: [&str; 27] = [
    "", "~", "1", "-1", "0x10", "1_000", "true", "no", "\"x\"", "\"4\"", "[a, b]", "{ a: b }",
    "[]", "{}", "5%", "150%", "10m", "soon", "1.5", "007", "canary", "header", "/x", "app", "null",
    "*a", "'#'",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// The reader of every problem and the reader of the first one agree on what is right, and on
    /// what it says.
    #[test]
    fn what_is_accepted_is_what_serde_accepts(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..TOKENS.len()), 1..4),
    ) {
        let mut text = WHOLE.to_owned();
        for (at, token) in changes {
            let inside = |c: char| c.is_ascii_alphanumeric() || "-_/%.:".contains(c);
            let words: Vec<_> = text.split_inclusive(|c| !inside(c)).collect();
            let at = at.index(words.len());
            let from: usize = words[..at].iter().map(|word| word.len()).sum();
            let word = words[at].trim_end_matches(|c| !inside(c)).trim_end_matches(':').len();
            text.replace_range(from..from + word, TOKENS[token]);
        }
        let serde: Result<Spec, _> = serde_saphyr::from_str(&text);
        match (parse(&source("cutover.yaml", &text), &[]), serde) {
            (Ok(spec), Ok(serde)) => prop_assert_eq!(spec, serde),
            (Ok(_), Err(error)) => prop_assert!(false, "serde refuses it: {error}\n{text}"),
            (Err(all), Ok(serde)) => {
                let rules: Vec<String> = problems(&serde).into_iter().map(|p| p.message).collect();
                let told: Vec<String> = all.into_iter().map(|p| p.message).collect();
                prop_assert_eq!(told.len(), rules.len(), "{:?}\n{}", told, text);
            }
            (Err(all), Err(_)) => {
                prop_assert!(!all.is_empty() && all.iter().all(|p| p.place.is_some()), "{all:?}");
            }
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[a-z:{}\\[\\]&*!|>'\"%@`#, \n-]{0,60}") {
        let _ = parse(&source("cutover.yaml", &text), &[source("o", &text)]);
    }
}
