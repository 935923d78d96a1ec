//! `apidoc.js` as a node serves it: the API's tree as JSON in a variable, viewer code behind it,
//! over 4 MB, some numbers written as strings.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use super::schema::{self, Method};

/// When the package was built: Last-Modified.
pub const CHANGED: i64 = 1_790_000_000;
const SIZE_MIN_BYTES: usize = 4_200_000;

/// Without the sentences that people read, for tests that have it read many times over.
pub fn brief() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| format!("const apiSchema = {}\n;\n\n{VIEWER}", tree(0)))
}

pub fn text() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        let plain = tree(0).to_string().len();
        let count: usize = schema::methods()
            .iter()
            .map(|method| method.params.len() + 1)
            .sum();
        let pad = SIZE_MIN_BYTES.saturating_sub(plain) / count + 1;
        format!(
            "const apiSchema = {}\n;\n\n{VIEWER}",
            serde_json::to_string_pretty(&tree(pad)).unwrap_or_default()
        )
    })
}

#[derive(Default)]
struct Leaf {
    children: BTreeMap<String, Leaf>,
    methods: Vec<&'static Method>,
}

fn tree(pad: usize) -> Value {
    let mut root = Leaf::default();
    for method in schema::methods().iter().filter(|method| method.path != "/") {
        let mut at = &mut root;
        for part in &method.segments {
            at = at.children.entry(part.clone()).or_default();
        }
        at.methods.push(method);
    }
    Value::Array(
        root.children
            .iter()
            .map(|(name, leaf)| node(name, "", leaf, pad))
            .collect(),
    )
}

fn node(name: &str, above: &str, leaf: &Leaf, pad: usize) -> Value {
    let path = format!("{above}/{name}");
    let mut out = Map::new();
    if !leaf.children.is_empty() {
        let children = leaf
            .children
            .iter()
            .map(|(name, leaf)| node(name, &path, leaf, pad));
        out.insert("children".into(), children.collect());
    }
    let info: Map<String, Value> = leaf
        .methods
        .iter()
        .map(|method| (method.verb.clone(), info(method, pad)))
        .collect();
    if !info.is_empty() {
        out.insert("info".into(), info.into());
    }
    out.insert("leaf".into(), u8::from(leaf.children.is_empty()).into());
    out.insert("path".into(), path.into());
    out.insert("text".into(), name.into());
    out.into()
}

fn info(method: &Method, pad: usize) -> Value {
    let mut properties = Map::new();
    for (name, schema) in &method.params {
        let mut schema = schema.clone();
        schema["description"] = words(name, pad).into();
        schema["typetext"] = format!("<{}>", schema["type"].as_str().unwrap_or("string")).into();
        // A big number is a string in the original, now and then.
        if let Some(most) = schema["maximum"]
            .as_u64()
            .filter(|most| *most > 100_000_000)
        {
            schema["maximum"] = most.to_string().into();
        }
        properties.insert(name.clone(), schema);
    }
    let mut info = json!({
        "allowtoken": u8::from(method.allowtoken),
        "description": words(&method.path, pad),
        "method": method.verb,
        "name": method.segments.last().map_or("index", |last| last.trim_matches(['{', '}'])),
        "parameters": {"additionalProperties": u8::from(method.extra), "properties": properties},
        "returns": method.returns,
    });
    if method
        .perms
        .as_object()
        .is_some_and(|perms| !perms.is_empty())
    {
        info["permissions"] = method.perms.clone();
    }
    if method.protected {
        info["protected"] = 1.into();
    }
    if let Some(node) = &method.proxyto {
        info["proxyto"] = node.clone().into();
    }
    if properties_of(&info).is_empty() {
        info["parameters"] = json!({"additionalProperties": 0});
    }
    info
}

fn properties_of(info: &Value) -> Map<String, Value> {
    info["parameters"]["properties"]
        .as_object()
        .cloned()
        .unwrap_or_default()
}

/// A description of about the wanted length.
fn words(about: &str, pad: usize) -> String {
    let sentence = format!("What {about} stands for, said \"at length\": see the manual. ");
    sentence.repeat(pad / sentence.len() + 1).trim_end().into()
}

const VIEWER: &str = "let method2cmd = { GET: 'get', POST: 'create', PUT: 'set', DELETE: 'delete' };\n\
Ext.onReady(function() {\n    Ext.define('pmx-param-schema', { extend: 'Ext.data.Model' });\n\
    let store = Ext.create('Ext.data.TreeStore', { data: apiSchema, root: { children: [] } });\n});\n";
