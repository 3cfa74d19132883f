//! Who a connection is: bind, and Who am I.

use super::Kind;
use super::dn::{Dn, Rdn};
use super::message::{Outcome, code};
use super::rights::Who;
use super::schema;
use super::session::Session;
use super::write::realm;

impl Session {
    /// Who am I, in the server's own form (RFC 4532; AD gives `u:DOMAIN\name`).
    pub(super) fn identity(&self) -> String {
        let state = self.shared.state();
        let name = match &self.who {
            Who::Anonymous => return String::new(),
            Who::Admin => "admin",
            Who::Reader(dn) => {
                let parsed = Dn::parse(dn).unwrap_or_default();
                if self.shared.options.kind == Kind::Openldap {
                    return format!("dn:{}", parsed.text(state.store.spelling()));
                }
                let domain = realm(&state.store.base).split('.').next().unwrap_or_default().to_uppercase();
                let entry = state.store.find(&parsed).ok().and_then(|id| state.store.entries.get(&id));
                let login = entry.and_then(|entry| entry.first_text("samaccountname")).map(str::to_owned);
                let leaf = parsed.0.first().and_then(|rdn| rdn.0.first()).map(|ava| ava.value.clone());
                let leaf = leaf.map(|value| String::from_utf8_lossy(&value).into_owned()).unwrap_or_default();
                return format!("u:{domain}\\{}", login.unwrap_or(leaf));
            }
        };
        let dn = state.store.base.child(Rdn::new("cn", name));
        match self.shared.options.kind {
            Kind::Openldap => format!("dn:{}", dn.text(state.store.spelling())),
            Kind::ActiveDirectory => {
                let domain = realm(&state.store.base).split('.').next().unwrap_or_default().to_uppercase();
                format!("u:{domain}\\{name}")
            }
        }
    }

    pub(super) fn bind(&mut self, version: i64, name: &str, password: Option<&[u8]>) -> Outcome {
        self.who = Who::Anonymous;
        self.pages.clear();
        let is_ad = self.shared.options.kind == Kind::ActiveDirectory;
        if version != 3 {
            return Outcome::new(code::PROTOCOL_ERROR, "requested protocol version not allowed");
        }
        let Some(password) = password else {
            return Outcome::new(code::AUTH_METHOD, "SASL is not available");
        };
        // An unauthenticated bind succeeds, as nobody (RFC 4513 5.1.2).
        if password.is_empty() {
            return Outcome::success();
        }
        if self.shared.options.require_tls && !self.secure {
            return if is_ad {
                Outcome::new(code::STRONGER_AUTH, "BindSimple: Transport encryption required.")
            } else {
                Outcome::new(code::CONFIDENTIALITY, "confidentiality required")
            };
        }
        match self.authenticate(name, password) {
            Some(who) => {
                self.who = who;
                Outcome::success()
            }
            None if !is_ad && Dn::parse(name).is_none() => Outcome::new(code::INVALID_DN, "invalid DN"),
            None if is_ad => Outcome::new(
                code::INVALID_CREDENTIALS,
                "80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data 52e, v3839",
            ),
            None => Outcome::new(code::INVALID_CREDENTIALS, ""),
        }
    }

    /// The two built-in accounts, and entries with a plain userPassword, which read.
    fn authenticate(&self, name: &str, password: &[u8]) -> Option<Who> {
        let state = self.shared.state();
        let store = &state.store;
        let realm = realm(&store.base);
        let domain = realm.split('.').next().unwrap_or_default();
        let is = |account: &str| {
            let dn = store.base.child(Rdn::new("cn", account));
            let by_login = store.is_ad()
                && (name.eq_ignore_ascii_case(&format!("{account}@{realm}"))
                    || name.eq_ignore_ascii_case(&format!("{domain}\\{account}")));
            by_login || Dn::parse(name).is_some_and(|given| given.key() == dn.key())
        };
        if is("admin") {
            return (password == b"admin").then_some(Who::Admin);
        }
        if is("svc") && password == b"svcpw" {
            return Some(Who::Reader(store.base.child(Rdn::new("cn", "svc")).text(store.spelling())));
        }
        let by_login = || {
            let login = schema::normal(schema::Syntax::Text, name.as_bytes());
            let short = login.strip_prefix(format!("{domain}\\").as_bytes()).unwrap_or(&login);
            let found =
                store.indexed("userprincipalname", &login).or_else(|| store.indexed("samaccountname", short))?;
            found.first().copied().filter(|_| store.is_ad())
        };
        let id = store.find_text(name).or_else(by_login)?;
        let entry = store.entries.get(&id).filter(|entry| !entry.deleted)?;
        let right = entry.stored("userpassword").iter().any(|value| value == password);
        right.then(|| Who::Reader(store.dn_text(id)))
    }
}
