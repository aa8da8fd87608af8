use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver};

use super::*;

/// One file that a test made.
struct Made(String);

impl FileResolver for Made {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if name == "a.proto" {
            File::from_source(name, &self.0)
        } else {
            Err(protox::Error::file_not_found(name))
        }
    }
}

/// The statements for a message with this body.
fn made(body: &str) -> Result<String> {
    let text = format!(
        "syntax = \"proto3\"; package a.v3; import \"validate/validate.proto\"; \
         import \"google/protobuf/wrappers.proto\"; import \"google/protobuf/duration.proto\"; \
         message A {{ {body} }}"
    );
    let mut resolver = ChainFileResolver::new();
    resolver.add(Made(text));
    let folder = protos::folder()?.join("protoc-gen-validate");
    resolver.add(IncludeFileResolver::new(folder));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.open_file("a.proto")?;
    let pool = compiler.descriptor_pool();
    let message = pool.get_message_by_name("a.v3.A").context("A")?;
    Ok(statements(&pool, &message, &BTreeSet::new())?.join(" "))
}

#[test]
fn a_range_of_durations_that_is_turned_round_is_what_is_outside() {
    let rule = "google.protobuf.Duration a = 1 [(validate.rules).duration = {lte {} gte {nanos: 1}}];";
    let made = made(rule).unwrap();
    assert!(
        made.contains("rule::outside(Span::of(value), Span::new(0, 0), Span::new(0, 1))"),
        "{made}"
    );
    assert!(
        !made.contains("rule::lte") && !made.contains("rule::gte"),
        "{made}"
    );
}

#[test]
fn the_committed_file_is_what_the_protos_say() {
    let committed = fs::read_to_string(crate::root().unwrap().join(FILE)).unwrap();
    let pool = protos::pool(MESSAGES).unwrap();
    assert!(
        text(&pool).unwrap() == committed,
        "{FILE} is old: run `cargo xtask validators`"
    );
}

#[test]
fn a_rule_becomes_a_check() {
    for (field, check) in [
        (
            "string a = 1 [(validate.rules).string = {min_len: 1 ignore_empty: true}];",
            "if !self.a.is_empty() { rule::min_len(&self.a, 1).within(\"a\")?; }",
        ),
        (
            "repeated string a = 1 [(validate.rules).repeated = {min_items: 1 items {string {prefix: \"/\"}}}];",
            "rule::min_items(self.a.len(), 1).within(\"a\")?; \
             for (at, value) in self.a.iter().enumerate() { rule::prefix(value, \"/\").item(\"a\", at)?; }",
        ),
        (
            "map<string, uint32> a = 1 [(validate.rules).map = {values {uint32 {gt: 0}}}];",
            "for (key, value) in &self.a { rule::gt(*value, 0).entry(\"a\", key)?; }",
        ),
        (
            "google.protobuf.UInt32Value a = 1 [(validate.rules).uint32 = {lte: 9}];",
            "if let Some(value) = &self.a { rule::lte(value.value, 9).within(\"a\")?; }",
        ),
        (
            "google.protobuf.Duration a = 1 [(validate.rules).duration = {required: true gt {nanos: 5}}];",
            "rule::required(&self.a).within(\"a\")?; if let Some(value) = &self.a { \
             rule::gt(Span::of(value), Span::new(0, 5)).within(\"a\")?; }",
        ),
        (
            "bool a = 1 [(validate.rules).bool = {const: true}];",
            "rule::is(self.a, true).within(\"a\")?;",
        ),
        (
            "oneof a { option (validate.required) = true; string b = 1; bytes c = 2 [(validate.rules).bytes.min_len = 2]; }",
            "rule::required(&self.a).within(\"a\")?; if let Some(a::v3::a::A::C(value)) = &self.a { \
             rule::min_size(value.len(), 2).within(\"c\")?; }",
        ),
    ] {
        assert_eq!(made(field).unwrap(), check, "{field}");
    }
}

/// Unknown rules are never silently ignored.
#[test]
fn an_unknown_rule_ends_the_generator() {
    for field in [
        "string a = 1 [(validate.rules).string = {uuid: true}];",
        "bytes a = 1 [(validate.rules).bytes = {ip: true}];",
        "google.protobuf.Duration a = 1 [(validate.rules).duration = {in {seconds: 1}}];",
        "uint32 a = 1 [(validate.rules).uint32 = {gt: 9 lt: 1}];",
        "option (validate.ignored) = true; string a = 1;",
    ] {
        assert!(made(field).is_err(), "{field}");
    }
}

/// The full paths that a `use` imports.
fn imported(words: &[&str]) -> Vec<String> {
    let (mut found, mut stack, mut path) = (Vec::new(), Vec::new(), Vec::new());
    for word in words {
        match *word {
            "::" | "r" | "#" => {}
            "{" => stack.push(path.clone()),
            "," | "}" | ";" => {
                found.push(path.join("::"));
                path = stack.last().cloned().unwrap_or_default();
                if *word == "}" {
                    stack.pop();
                    path = stack.last().cloned().unwrap_or_default();
                }
            }
            name => path.push(name),
        }
    }
    found
}

/// A message that is made but not listed would not be checked.
#[test]
fn every_message_that_is_made_is_listed() {
    let pool = protos::pool(MESSAGES).unwrap();
    let by_path: BTreeMap<String, String> = pool
        .all_messages()
        .map(|message| {
            let path = names::message(&message).replace("r#", "");
            (path, message.full_name().to_owned())
        })
        .collect();
    let (mut made, mut listed) = (0, 0);
    for path in crate::modules::sources(&crate::root().unwrap().join("agent/src/translate")).unwrap() {
        let text = fs::read_to_string(path).unwrap();
        for import in text.split("use envoy_types::pb::").skip(1) {
            let (import, _) = import.split_once(';').unwrap();
            let import = format!("{};", import.replace("r#", ""));
            for path in imported(&crate::tokens::tokens(&import)) {
                let Some(name) = by_path.get(&path) else { continue };
                made += 1;
                let is_listed = MESSAGES.contains(&name.as_str());
                assert!(
                    is_listed || name.starts_with("google.protobuf."),
                    "{name} is not listed"
                );
                listed += usize::from(is_listed);
            }
        }
    }
    assert!(
        listed > 80,
        "{listed} of {made} are listed: the imports are not read"
    );
}
