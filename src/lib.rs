//! Keeps Zendesk accounts in step with LDAP and Active Directory groups.
pub mod domain;
