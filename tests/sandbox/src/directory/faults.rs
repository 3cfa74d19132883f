//! Faults by script: which operation, which of its messages, what goes wrong.

use serde::Deserialize;

/// The operations that a fault can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// Simple or other bind.
    Bind,
    /// Search, paged or not: each page is an operation.
    Search,
    /// Modify.
    Modify,
    /// Add.
    Add,
    /// Delete.
    Delete,
    /// Modify DN.
    Modrdn,
    /// Compare.
    Compare,
    /// Extended operations: StartTLS, Who am I.
    Extended,
}

impl Op {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::Search => "search",
            Self::Modify => "modify",
            Self::Add => "add",
            Self::Delete => "delete",
            Self::Modrdn => "modrdn",
            Self::Compare => "compare",
            Self::Extended => "extended",
        }
    }
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Do {
    /// Ends the operation with this result code; a write is then not carried out.
    Result(u32),
    /// Waits before the message.
    DelayMs(u64),
    /// Cuts the connection in place of the message; a write has been carried out.
    Drop,
    /// Sends half of the message, then cuts the connection.
    Torn,
    /// Leaves the paged results control out of the final message.
    NoControl,
    /// Answers a page with the cookie of the request; the next request gets the same page again.
    RepeatCookie,
    /// Puts a SearchResultReference before the message.
    Reference,
    /// Ends a search with success and no cookie, as if nothing more were there.
    Truncate,
    /// Answers no more; the connection stays open.
    Stall,
    /// Sends bytes that are no LDAP, then cuts the connection.
    Garbage,
}

/// One fault. Counting starts when it is given to the server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The operation; absent means any.
    #[serde(default)]
    pub op: Option<Op>,
    /// Which matching operation, from 1; absent means every one.
    #[serde(default)]
    pub nth: Option<u32>,
    /// Which response message of it, from 0; absent means the final result.
    #[serde(default)]
    pub message: Option<u32>,
    /// Only operations whose base or target contains this, in any case.
    #[serde(default)]
    pub base: Option<String>,
    /// Only searches whose filter, as RFC 4515 text, contains this, in any case.
    #[serde(default)]
    pub filter: Option<String>,
    /// What goes wrong.
    #[serde(rename = "do")]
    pub action: Do,
}

impl Fault {
    /// A fault at the final result of every operation of one kind.
    pub fn new(op: Op, action: Do) -> Self {
        Self { op: Some(op), nth: None, message: None, base: None, filter: None, action }
    }

    /// Only the nth matching operation, from 1.
    #[must_use]
    pub fn nth(self, nth: u32) -> Self {
        Self { nth: Some(nth), ..self }
    }

    /// At this response message, from 0.
    #[must_use]
    pub fn message(self, message: u32) -> Self {
        Self { message: Some(message), ..self }
    }

    /// Only where the base or target contains this text.
    #[must_use]
    pub fn base(self, base: &str) -> Self {
        Self { base: Some(base.to_owned()), ..self }
    }

    /// Only where the filter contains this text.
    #[must_use]
    pub fn filter(self, filter: &str) -> Self {
        Self { filter: Some(filter.to_owned()), ..self }
    }

    /// Reads a list of faults from JSON.
    ///
    /// # Errors
    ///
    /// What serde says of it.
    pub fn list(json: &str) -> Result<Vec<Self>, serde_json::Error> {
        serde_json::from_str(json)
    }

    fn matches(&self, op: &str, base: &str, filter: &str) -> bool {
        let within = |part: &Option<String>, whole: &str| {
            part.as_ref().is_none_or(|part| whole.to_lowercase().contains(&part.to_lowercase()))
        };
        self.op.is_none_or(|wanted| wanted.name() == op) && within(&self.base, base) && within(&self.filter, filter)
    }

    /// Whether it strikes at this message.
    pub(super) fn strikes(&self, message: u32, is_final: bool) -> bool {
        self.message.map_or(is_final, |wanted| wanted == message)
    }
}

/// The faults that wait, each with the number of operations it has matched.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<(Fault, u32)>);

impl Faults {
    pub(super) fn push(&mut self, faults: Vec<Fault>) {
        self.0.extend(faults.into_iter().map(|fault| (fault, 0)));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Counts an operation, and gives the faults that strike it.
    pub(super) fn pick(&mut self, op: &str, base: &str, filter: &str) -> Vec<Fault> {
        let mut struck = Vec::new();
        for (fault, count) in &mut self.0 {
            if fault.matches(op, base, filter) {
                *count += 1;
                if fault.nth.is_none_or(|nth| nth == *count) {
                    struck.push(fault.clone());
                }
            }
        }
        struck
    }
}
