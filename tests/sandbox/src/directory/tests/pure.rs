//! Names, LDIF and times without a server.

use super::super::dn::{Dn, Spelling};
use super::super::ldif::{self, Record};
use super::super::{Do, Fault, Op, clock, sid};

fn key(text: &str) -> String {
    Dn::parse(text).unwrap().key()
}

#[test]
fn one_name_has_many_spellings() {
    let plain = key("cn=Müller\\, Jürgen,ou=A B,dc=x");
    for other in [
        "CN = müller\\2C JÜRGEN , OU=a  b ; DC=X",
        "commonName=\"Müller, Jürgen\",2.5.4.11=a b,dc=x",
        "cn=M\\C3\\BCller\\2c jürgen,ou=A B\\ ,dc=x",
    ] {
        assert_eq!(key(other), plain, "{other}");
    }
    assert_eq!(key("cn=a+uid=b,dc=x"), key("UID=B+CN=A,dc=x"));
    assert_ne!(key("cn=a\\,b,dc=x"), key("cn=a,b=,dc=x"));
    for wrong in ["cn", "=x", "cn=a,,dc=x", "cn=a\\", "cn=\"a", "c n=a"] {
        assert_eq!(Dn::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn each_server_escapes_in_its_own_way() {
    let dn = Dn::parse("cn=\\#a\\, b\\3Dc\\22,dc=x").unwrap();
    assert_eq!(dn.text(Spelling::Hex), "cn=\\23a\\2C b\\3Dc\\22,dc=x");
    assert_eq!(dn.text(Spelling::Backslash), "cn=\\#a\\, b\\3Dc\\\",dc=x");
    assert_eq!(Dn::parse(&dn.text(Spelling::Hex)), Some(dn));
}

#[test]
fn ldif_folds_decodes_and_separates() {
    let text = "version: 1\n# a comment\n that goes on\ndn: cn=a,\n dc=x\nobjectClass: top\ndescription:: w7w=\ndescription: \n\ndn: cn=b,dc=x\nchangetype: modify\nadd: mail\nmail: m\n-\ndelete: sn\n-\n\ndn: cn=c,dc=x\r\nchangetype: modrdn\r\nnewrdn: cn=d\r\ndeleteoldrdn: 0\r\nnewsuperior: dc=y\r\n";
    let records = ldif::parse(text).unwrap();
    assert_eq!(records.len(), 3);
    let Record::Content { dn, attributes } = &records[0].1 else { panic!() };
    assert_eq!(dn, "cn=a,dc=x");
    assert_eq!(attributes[1].1, vec!["ü".as_bytes().to_vec(), Vec::new()]);
    let Record::Modify { changes, .. } = &records[1].1 else { panic!() };
    assert_eq!(changes.len(), 2);
    let Record::Rename(rename) = &records[2].1 else { panic!() };
    assert!(!rename.delete_old && rename.new_superior.as_deref() == Some("dc=y"));
    assert_eq!(ldif::parse("dn: dc=x\noops\n").unwrap_err().line, 2);
}

#[test]
fn faults_are_read_from_json() {
    let list =
        Fault::list(r#"[{"op":"search","nth":2,"message":1,"do":{"result":51}},{"op":"bind","do":"drop"}]"#).unwrap();
    assert_eq!(list[0], Fault::new(Op::Search, Do::Result(51)).nth(2).message(1));
    assert_eq!(list[1], Fault::new(Op::Bind, Do::Drop));
    assert!(Fault::list(r#"[{"op":"serach","do":"drop"}]"#).is_err());
    assert!(Fault::list(r#"[{"op":"search","when":1,"do":"drop"}]"#).is_err());
}

#[test]
fn times_and_identifiers_have_their_printed_forms() {
    assert_eq!(clock::digits(clock::LOADED_MICROS), "20260101000000");
    assert_eq!(clock::digits(951_782_399_000_000), "20000228235959");
    assert_eq!(clock::digits(951_782_400_000_000), "20000229000000");
    let bytes = sid::value(b"S-1-5-21-1-2-3-1104");
    assert_eq!(bytes.len(), 28);
    assert_eq!(sid::text(&bytes), "S-1-5-21-1-2-3-1104");
}
