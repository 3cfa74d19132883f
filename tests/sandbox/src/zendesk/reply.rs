//! Answers, and the five error shapes of the API.

use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What is sent.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Body {
    Empty,
    Json(Value),
    Text(String),
}

/// One answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Body,
}

/// A success, or a refusal.
pub(super) type Answer = Result<Reply, Reply>;

impl Reply {
    pub(super) fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Body::Json(body) }
    }

    pub(super) fn text(status: u16, body: &str) -> Self {
        Self { status, headers: Vec::new(), body: Body::Text(body.to_owned()) }
    }

    pub(super) fn empty() -> Self {
        Self { status: 204, headers: Vec::new(), body: Body::Empty }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    /// The error's short name and text, as job results have them.
    pub(super) fn summary(&self) -> (String, String) {
        let Body::Json(body) = &self.body else { return ("Error".to_owned(), String::new()) };
        let name = body["error"].as_str().unwrap_or("Error").to_owned();
        let detail = body["details"].as_object().and_then(|details| details.values().next());
        let text = detail.and_then(|list| list[0]["description"].as_str()).or(body["description"].as_str());
        (name, text.unwrap_or_default().to_owned())
    }
}

/// 200 with a JSON body.
pub(super) fn ok(body: Value) -> Answer {
    Ok(Reply::json(200, body))
}

/// 201 with a `Location`.
pub(super) fn created(body: Value, location: String) -> Answer {
    Ok(Reply::json(201, body).with("Location", location))
}

/// Recorded: GET of a deleted group membership.
pub(super) fn not_found() -> Reply {
    Reply::json(404, json!({"error": "RecordNotFound", "description": "Not found"}))
}

/// The answer to a path that does not exist.
pub(super) fn invalid_endpoint() -> Reply {
    Reply::json(404, json!({"error": "InvalidEndpoint", "description": "Not found"}))
}

/// 400 with the error as an object (recorded: PUT password with a number).
pub(super) fn invalid_attribute(attribute: &str, problem: &str) -> Reply {
    let message = format!("You passed an invalid value for the {attribute} attribute. {problem}");
    Reply::json(400, json!({"error": {"title": "Invalid attribute", "message": message}}))
}

/// 403 for something this account or user may not do.
pub(super) fn forbidden(description: &str) -> Reply {
    Reply::json(403, json!({"error": "Forbidden", "description": description}))
}

/// 401 for wrong basic credentials, or none.
pub(super) fn unauthenticated() -> Reply {
    Reply::json(401, json!({"error": "Couldn't authenticate you"}))
        .with("WWW-Authenticate", "Basic realm=\"Web Password\"")
}

/// 401 for a bearer token that is unknown or expired.
pub(super) fn invalid_token() -> Reply {
    let text = "The access token provided is expired, revoked, malformed or invalid for other reasons.";
    Reply::json(401, json!({"error": "invalid_token", "error_description": text}))
}

/// 400 for more than 100 values (recorded: organizations/show_many).
pub(super) fn too_many_values() -> Reply {
    let text = "Parameter  cannot specify more than 100 values";
    Reply::json(400, json!({"error": "TooManyValues", "description": text, "max_count": 100}))
}

/// 400 for more than 100 records (recorded: users/create_many).
pub(super) fn too_many_records(what: &str) -> Reply {
    let text = format!("Maximum 100 {what} may be created per call");
    Reply::json(400, json!({"error": "TooManyValues", "description": text}))
}

/// 400 in the JSON:API shape.
pub(super) fn pagination(code: &str, detail: &str) -> Reply {
    Reply::json(400, json!({"errors": [{"code": code, "title": "Invalid pagination", "detail": detail}]}))
}

/// Validation errors by field, for a 422.
#[derive(Debug, Default)]
pub(super) struct Details(BTreeMap<String, Vec<Value>>);

impl Details {
    pub(super) fn add(&mut self, field: &str, description: String) {
        self.0.entry(field.to_owned()).or_default().push(json!({"description": description}));
    }

    pub(super) fn add_named(&mut self, field: &str, description: String, error: &str) {
        let entry = json!({"description": description, "error": error});
        self.0.entry(field.to_owned()).or_default().push(entry);
    }

    /// Refuses if anything was added.
    pub(super) fn check(self) -> Result<(), Reply> {
        if self.0.is_empty() { Ok(()) } else { Err(record_invalid(json!(self.0))) }
    }
}

/// 422 `RecordInvalid`.
pub(super) fn record_invalid(details: Value) -> Reply {
    let body = json!({"error": "RecordInvalid", "description": "Record validation errors", "details": details});
    Reply::json(422, body)
}

/// 422 with one field's description.
pub(super) fn invalid(field: &str, description: &str) -> Reply {
    record_invalid(json!({field: [{"description": description}]}))
}

/// 422 with one field's description and error name.
pub(super) fn invalid_named(field: &str, description: &str, error: &str) -> Reply {
    record_invalid(json!({field: [{"description": description, "error": error}]}))
}
