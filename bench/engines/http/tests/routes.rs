//! Requests fall under the same rule here as in TypeScript, which writes what is read here.

use isthmus_http_prototype::message::Head;
use isthmus_http_prototype::routes::{Action, Request, RoutingMessage, TablesMessage, Target, VirtualHosts};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    routing: RoutingMessage,
    requests: Vec<Asked>,
}

#[derive(Deserialize)]
struct Asked {
    method: String,
    path: String,
    authority: String,
    scheme: String,
    headers: Vec<String>,
    random: f64,
    rule: Option<String>,
    cluster: Option<String>,
}

/// As they come over the wire.
fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|each| u8::try_from(u32::from(each)).unwrap()).collect()
}

#[test]
fn rules_and_shares_are_those_of_typescript() {
    let text = include_str!("../../../../test/vectors/http-routes.json");
    let Vectors { routing, requests } = serde_json::from_str(text).unwrap();
    let hosts = VirtualHosts::compile(routing, &["stable", "canary", "none", "last"]).unwrap();
    assert!(requests.len() >= 50);
    for asked in requests {
        let mut head = Head::default();
        head.method = head.put(asked.method.as_bytes());
        head.path = head.put(asked.path.as_bytes());
        head.authority = head.put(asked.authority.as_bytes());
        head.scheme = head.put(asked.scheme.as_bytes());
        asked.headers.chunks(2).for_each(|pair| head.push(pair[0].as_bytes(), &latin1(&pair[1])));
        let rule = hosts.find(&Request::new(&head));
        let about = format!("{} {} {} {:?}", asked.method, asked.authority, asked.path, asked.headers);
        assert_eq!(rule.map(|rule| &*rule.name), asked.rule.as_deref(), "{about}");
        let target = match rule.map(|rule| &rule.action) {
            Some(Action::Route(choices)) => Action::pick(choices, asked.random),
            _ => None,
        };
        let cluster = target.map(|target| match target {
            Target::Cluster(_, name) => &**name,
            Target::Missing(_) => "",
        });
        assert_eq!(cluster, asked.cluster.as_deref(), "{about}");
    }
}

#[test]
fn what_the_prototype_does_not_carry_is_refused_and_named() {
    let tables = |rule: &str| {
        let text = format!(r#"{{"routing":{{"virtualHosts":[{{"name":"a","domains":["*"],"rules":[{rule}]}}],"l4":[]}},"clusters":[]}}"#);
        let message = serde_json::from_str::<TablesMessage>(&text).map_err(|error| error.to_string())?;
        isthmus_http_prototype::routes::Tables::compile(message).map(|_| ())
    };
    let route = r#"{"type":"route","destinations":[],"mirrors":[]}"#;
    assert_eq!(tables(&format!(r#"{{"name":"r","matches":[],"action":{route}}}"#)), Ok(()));
    let refused = |rule: &str, why: &str| assert!(tables(rule).unwrap_err().contains(why), "{:?}", tables(rule));
    refused(&format!(r#"{{"name":"r","matches":[],"action":{route},"cors":{{}}}}"#), "cors");
    refused(&format!(r#"{{"name":"r","matches":[],"action":{route},"fault":{{}}}}"#), "fault");
    refused(r#"{"name":"r","matches":[],"action":{"type":"redirect","status":301}}"#, "redirect");
    refused(r#"{"name":"r","matches":[],"action":{"type":"route","destinations":[],"mirrors":[],"retries":{}}}"#, "retries");
    refused(r#"{"name":"r","matches":[],"action":{"type":"route","destinations":[],"mirrors":[{}]}}"#, "mirrors");
    let regex = r#"{"path":{"type":"regex","value":"/a"},"headers":[],"query":[],"sourceLabels":{}}"#;
    refused(&format!(r#"{{"name":"r","matches":[{regex}],"action":{route}}}"#), "regex");
    refused(
        r#"{"name":"r","matches":[],"action":{"type":"route","destinations":[{"destination":{"cluster":"x"},"weight":1}],"mirrors":[]}}"#,
        "no cluster x",
    );
    let header = r#"{"set":[["x-a","b\r\nc"]],"add":[],"remove":[]}"#;
    refused(&format!(r#"{{"name":"r","matches":[],"action":{route},"requestHeaders":{header}}}"#), "cannot set x-a");
}
