//! Tests over the wire, with ldap3 as the client.
