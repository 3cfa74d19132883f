//! The bind, and the proof that it took.
//!
//! A server may answer success to a bind without a password and treat whoever sent it as anonymous (RFC 4513 5.1.2):
//! such a reader sees less, and what it doesn't see looks as if it were gone. So no empty secret is sent, and who we are
//! is asked afterwards.

use ldap3::exop::{Exop, WhoAmI};
use secrecy::ExposeSecret as _;

use super::code::{Code, Refusal, said};
use super::filter::{ANYTHING, any, equals};
use super::root::root;
use super::search::{AskFault, AtBase, Collect, Query, Session, Values, paged};
use crate::domain::dn::Dn;
use crate::domain::scope::Tally;
use crate::domain::settings::DirectoryKind;
use crate::engine::ports::{ReadFault, Secret};

/// Binds, and makes sure as whom.
pub(super) async fn bind(session: &mut Session, secret: &dyn Secret) -> Result<(), ReadFault> {
    let identity = session.settings.bind_dn.clone();
    let url = session.server.text.clone();
    let refused = |why: String| ReadFault::BindRefused { url: url.clone(), identity: identity.clone(), why };
    let unreachable = |why: String| ReadFault::Unreachable { url: url.clone(), why };
    let password = secret.read().map_err(|why| ReadFault::Unfit(format!("the password can't be read: {why}")))?;
    let password = password.expose_secret();
    if let Some(why) = unfit(password) {
        return Err(ReadFault::Unfit(format!("the password of {identity} {why}")));
    }
    if identity.trim().is_empty() {
        return Err(ReadFault::Unfit("`bind.dn` is empty: the server would take us for anonymous".to_owned()));
    }
    let timeout = session.link.timeout;
    let bound = tokio::time::timeout(timeout, session.link.ldap.simple_bind(&identity, password)).await;
    let result = match bound {
        Err(_) => {
            return Err(unreachable(format!("no answer to the bind within {}", humantime::format_duration(timeout))));
        }
        Ok(Err(fault)) => return Err(unreachable(session.link.end_reason(&fault))),
        Ok(Ok(result)) => result,
    };
    // A server that repeats the password in its text doesn't get it into a log.
    let text = said(&result.text.replace(password, "***"));
    let refusal = Refusal { code: Code(result.rc), text };
    match refusal.code {
        Code::SUCCESS => {
            session.root = root(session).await.map_err(|why| unreachable(why.to_string()))?;
            prove(session).await.map_err(|why| match why {
                Unproven::Anonymous(why) => refused(why),
                Unproven::Lost(why) => unreachable(why),
            })
        }
        Code::BUSY | Code::UNAVAILABLE | Code::REFERRAL => Err(unreachable(refusal.to_string())),
        _ => Err(refused(explained(&refusal))),
    }
}

/// Why a secret can't be the right one.
fn unfit(password: &str) -> Option<&'static str> {
    if password.trim().is_empty() {
        return Some("is empty: the server would take us for anonymous");
    }
    if password.contains('\0') {
        return Some("has a NUL byte, which no password has");
    }
    if password.chars().any(char::is_control) {
        return Some("has a line break or another control character: write the file without CR LF line ends");
    }
    None
}

/// What a refused bind means and what to do about it.
fn explained(refusal: &Refusal) -> String {
    let advice = match refusal.code {
        Code::INVALID_CREDENTIALS => bad_credentials(&refusal.text),
        Code::STRONGER_AUTH_REQUIRED | Code::CONFIDENTIALITY_REQUIRED => {
            "the server takes no password over an unprotected connection: use ldaps:// or starttls"
        }
        _ => return refusal.to_string(),
    };
    format!("{refusal}; {advice}")
}

/// AD tells the reason as `data` and a Windows error code in its text (Microsoft, "Common Active Directory Bind Errors").
fn bad_credentials(text: &str) -> &'static str {
    if text.contains("80090346") {
        return "the server wants channel binding, which a simple bind over another's TLS can't give";
    }
    let code = text.split("data ").nth(1).and_then(|rest| rest.split([',', ' ']).next()).unwrap_or_default();
    match code.to_ascii_lowercase().as_str() {
        "525" => "there is no such account",
        "52e" => "the password is wrong, or there is no such account",
        "530" => "the account may not log on at this time",
        "531" => "the account may not log on from this host",
        "532" => "the account's password has expired",
        "533" => "the account is disabled",
        "701" => "the account has expired",
        "773" => "the account's password must be changed first",
        "775" => "the account is locked out",
        _ => "the DN or the password is wrong",
    }
}

/// Why it isn't shown that we are who we said.
#[derive(Debug)]
enum Unproven {
    Anonymous(String),
    Lost(String),
}

impl From<AskFault> for Unproven {
    fn from(fault: AskFault) -> Self {
        match fault {
            AskFault::Lost(why) | AskFault::Odd(why) => Self::Lost(why),
            AskFault::Refused(_) | AskFault::Unfit(_) => Self::Anonymous(fault.to_string()),
        }
    }
}

/// Asks who we are (RFC 4532). Where the server doesn't know the question, something must be read that we may read.
async fn prove(session: &mut Session) -> Result<(), Unproven> {
    let timeout = session.link.timeout;
    let asked = tokio::time::timeout(timeout, session.link.ldap.extended(WhoAmI)).await;
    let answer = match asked {
        Err(_) => return Err(Unproven::Lost("no answer to who we are".to_owned())),
        Ok(Err(fault)) => return Err(Unproven::Lost(session.link.end_reason(&fault))),
        Ok(Ok(answer)) => answer,
    };
    let code = Code(answer.1.rc);
    if code == Code::SUCCESS {
        return judge(&answer.0);
    }
    // Samba 4.17 answers protocolError: it hasn't got the operation.
    tracing::debug!(directory = %session.settings.name, code = code.0, "identity not told");
    if sees_itself(session).await? {
        return Ok(());
    }
    let why = "the bind was answered with success, but nothing shows as whom: the account's own entry can't be read";
    Err(Unproven::Anonymous(why.to_owned()))
}

/// The identity must be somebody's: `""`, `dn:` and AD's anonymous logon are nobody's.
fn judge(answer: &Exop) -> Result<(), Unproven> {
    let identity = String::from_utf8_lossy(answer.val.as_deref().unwrap_or_default()).trim().to_lowercase();
    let name = identity.strip_prefix("dn:").or_else(|| identity.strip_prefix("u:")).unwrap_or(&identity).trim();
    if name.is_empty() || name == "anonymous" || name.ends_with("\\anonymous logon") {
        return Err(Unproven::Anonymous("the server took the bind and treats us as anonymous".to_owned()));
    }
    Ok(())
}

/// Whether the account's own entry can be read.
async fn sees_itself(session: &mut Session) -> Result<bool, Unproven> {
    let identity = session.settings.bind_dn.clone();
    if Dn::parse(&identity).is_ok() {
        let found = session.at_base(&identity, ANYTHING, &["1.1"], Values::Wanted).await;
        return match found {
            Ok(AtBase::Entry(_)) => Ok(true),
            Ok(AtBase::Unmatched | AtBase::Absent) | Err(AskFault::Refused(_)) => Ok(false),
            Err(fault) => Err(fault.into()),
        };
    }
    match session.settings.kind {
        DirectoryKind::ActiveDirectory => {}
        DirectoryKind::OpenLdap | DirectoryKind::Generic => return Ok(false),
    }
    // `user@realm`, or `DOMAIN\user`; the realm's name need not be stored (observed on Samba 4.17).
    let login = identity.split('@').next().unwrap_or_default();
    let login = login.rsplit('\\').next().unwrap_or_default();
    let names = [equals("userPrincipalName", identity.as_bytes()), equals("sAMAccountName", login.as_bytes())];
    let filter = any(&names);
    let mut bases: Vec<String> = session.settings.bases.iter().map(ToString::to_string).collect();
    if let Some(domain) = &session.root.default_context {
        bases = vec![domain.clone()];
    }
    for base in bases {
        let query = Query { base: &base, scope: ldap3::Scope::Subtree, filter: &filter, attributes: &["1.1"] };
        let mut found = Collect::default();
        let read = paged(session, &query, &mut Tally::default(), &mut found).await;
        if read.is_ok() && !found.0.is_empty() {
            return Ok(true);
        }
        if let Some(why) = &session.broken {
            return Err(Unproven::Lost(why.clone()));
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_that_would_make_us_anonymous_are_refused() {
        for bad in ["", " ", "\n", "\r\n", "\0", "secret\r", "sec\0ret"] {
            assert!(unfit(bad).is_some(), "{bad:?}");
        }
        assert_eq!(unfit("pass word ü"), None);
    }

    #[test]
    fn an_identity_must_be_somebodys() {
        let said = |text: &str| judge(&Exop { name: None, val: Some(text.as_bytes().to_vec()) }).is_ok();
        for nobody in ["", "dn:", "u:", "u:anonymous", "u:NT AUTHORITY\\ANONYMOUS LOGON", " "] {
            assert!(!said(nobody), "{nobody:?}");
        }
        assert!(said("dn:cn=svc,dc=example,dc=org") && said("u:CORP\\svc"));
        assert!(judge(&Exop { name: None, val: None }).is_err());
    }

    #[test]
    fn a_refused_bind_says_why_in_words() {
        let ad = |data: &str| {
            let text =
                format!("80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data {data}, v3839");
            explained(&Refusal { code: Code(49), text })
        };
        for (data, words) in [
            ("52e", "password is wrong"),
            ("533", "disabled"),
            ("775", "locked out"),
            ("773", "must be changed"),
            ("99", "wrong"),
        ] {
            assert!(ad(data).contains(words), "{}", ad(data));
        }
        let strong = explained(&Refusal { code: Code(8), text: "BindSimple: Transport encryption required.".into() });
        assert!(strong.contains("ldaps://"), "{strong}");
        let other = explained(&Refusal { code: Code(53), text: String::new() });
        assert!(other.starts_with("unwillingToPerform (53)"), "{other}");
    }
}
