//! Searches as lines for a shell, so that whoever reads a log or a check can repeat them. Never with the password.

use ldap3::Scope;

use super::search::Query;
use crate::domain::settings::{DirectorySettings, Protection, ServerUrl};

/// How a line asks for the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paging {
    /// All at once.
    Off,
    /// In pages of so many entries.
    Pages(u32),
}

/// The `ldapsearch` command for a search. PASSWORDFILE stands for the file with the password.
///
/// `-y` takes a line end at the end of the file for a part of the password (ldapsearch(1): "complete contents"), and `-w`
/// would show it to whoever lists processes: so it comes by a pipe, without the line end.
pub(super) fn ldapsearch(
    settings: &DirectorySettings,
    server: &ServerUrl,
    query: &Query<'_>,
    paging: Paging,
) -> String {
    let mut words = vec![r"tr -d '\n' <PASSWORDFILE |".to_owned()];
    if let Some(ca) = settings.ca_file.as_ref().filter(|_| server.protection != Protection::Plaintext) {
        words.push(format!("LDAPTLS_CACERT={}", quoted(&ca.display().to_string())));
    }
    words.push("ldapsearch -x -LLL -o ldif-wrap=no".to_owned());
    if server.protection == Protection::StartTls {
        words.push("-ZZ".to_owned());
    }
    words.push(format!("-H {}", quoted(&server.text)));
    words.push(format!("-D {} -y /dev/stdin", quoted(&settings.bind_dn)));
    let scope = match query.scope {
        Scope::Base => "base",
        Scope::OneLevel => "one",
        Scope::Subtree => "sub",
    };
    words.push(format!("-b {} -s {scope}", quoted(query.base)));
    if let Paging::Pages(size) = paging {
        words.push(format!("-E pr={size}/noprompt"));
    }
    words.push(quoted(query.filter));
    words.extend(query.attributes.iter().map(|attribute| quoted(attribute)));
    words.join(" ")
}

/// Quotes a word for a POSIX shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ',' | '/' | ':' | '=' | '@' | '+');
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::super::peer::settings;
    use super::*;

    #[test]
    fn a_line_can_be_pasted_and_has_no_password() {
        let mut settings = settings();
        settings.bind_dn = "cn=o'brien,dc=example".into();
        settings.ca_file = Some("/etc/my ca.pem".into());
        let server = ServerUrl {
            text: "ldap://ldap.example.org".into(),
            host: "ldap.example.org".into(),
            port: 389,
            protection: Protection::StartTls,
        };
        let query = Query {
            base: "dc=example",
            scope: Scope::Subtree,
            filter: "(objectClass=*)",
            attributes: &["cn", "member;range=0-9"],
        };
        assert_eq!(
            ldapsearch(&settings, &server, &query, Paging::Pages(500)),
            r"tr -d '\n' <PASSWORDFILE | LDAPTLS_CACERT='/etc/my ca.pem' ldapsearch -x -LLL -o ldif-wrap=no -ZZ -H ldap://ldap.example.org -D 'cn=o'\''brien,dc=example' -y /dev/stdin -b dc=example -s sub -E pr=500/noprompt '(objectClass=*)' cn 'member;range=0-9'"
        );
    }
}
