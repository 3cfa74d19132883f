//! LDAP result codes by name, and what to do about those that a reader meets.

use std::fmt;

/// A result code (RFC 4511, appendix A, and the registry that followed it).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code(pub(super) u32);

impl Code {
    pub(super) const SUCCESS: Self = Self(0);
    pub(super) const STRONGER_AUTH_REQUIRED: Self = Self(8);
    pub(super) const REFERRAL: Self = Self(10);
    pub(super) const CONFIDENTIALITY_REQUIRED: Self = Self(13);
    pub(super) const NO_SUCH_OBJECT: Self = Self(32);
    pub(super) const INVALID_CREDENTIALS: Self = Self(49);
    pub(super) const INSUFFICIENT_ACCESS: Self = Self(50);
    pub(super) const BUSY: Self = Self(51);
    pub(super) const UNAVAILABLE: Self = Self(52);

    /// The name, as the RFC spells it; `unknown` for codes of nobody's list.
    pub(super) const fn name(self) -> &'static str {
        match self.0 {
            0 => "success",
            1 => "operationsError",
            2 => "protocolError",
            3 => "timeLimitExceeded",
            4 => "sizeLimitExceeded",
            5 => "compareFalse",
            6 => "compareTrue",
            7 => "authMethodNotSupported",
            8 => "strongerAuthRequired",
            9 => "partialResults",
            10 => "referral",
            11 => "adminLimitExceeded",
            12 => "unavailableCriticalExtension",
            13 => "confidentialityRequired",
            14 => "saslBindInProgress",
            16 => "noSuchAttribute",
            17 => "undefinedAttributeType",
            18 => "inappropriateMatching",
            19 => "constraintViolation",
            20 => "attributeOrValueExists",
            21 => "invalidAttributeSyntax",
            32 => "noSuchObject",
            33 => "aliasProblem",
            34 => "invalidDNSyntax",
            35 => "isLeaf",
            36 => "aliasDereferencingProblem",
            48 => "inappropriateAuthentication",
            49 => "invalidCredentials",
            50 => "insufficientAccessRights",
            51 => "busy",
            52 => "unavailable",
            53 => "unwillingToPerform",
            54 => "loopDetect",
            60 => "sortControlMissing",
            61 => "offsetRangeError",
            64 => "namingViolation",
            65 => "objectClassViolation",
            66 => "notAllowedOnNonLeaf",
            67 => "notAllowedOnRDN",
            68 => "entryAlreadyExists",
            69 => "objectClassModsProhibited",
            70 => "resultsTooLarge",
            71 => "affectsMultipleDSAs",
            76 => "controlError",
            80 => "other",
            81 => "serverDown",
            82 => "localError",
            83 => "encodingError",
            84 => "decodingError",
            85 => "timeout",
            86 => "authUnknown",
            87 => "filterError",
            88 => "userCanceled",
            89 => "paramError",
            90 => "noMemory",
            91 => "connectError",
            92 => "notSupported",
            93 => "controlNotFound",
            94 => "noResultsReturned",
            95 => "moreResultsToReturn",
            96 => "clientLoop",
            97 => "referralLimitExceeded",
            100 => "invalidResponse",
            101 => "ambiguousResponse",
            112 => "tlsNotSupported",
            113 => "intermediateResponse",
            114 => "unknownType",
            118 => "canceled",
            119 => "noSuchOperation",
            120 => "tooLate",
            121 => "cannotCancel",
            122 => "assertionFailed",
            123 => "authorizationDenied",
            4096 => "eSyncRefreshRequired",
            16654 => "noOperation",
            _ => "unknown",
        }
    }

    /// What an operator can do about it, where there is something.
    const fn advice(self) -> Option<&'static str> {
        match self.0 {
            1 => Some("AD answers so when the bind didn't hold"),
            3 => Some("the server's time limit is too short for this search, or an index is missing"),
            4 => Some("lower `page_size`, or lift the size limit of the bind account (paged searches have their own)"),
            10 => Some("the server refers elsewhere; name the right server in `urls` and a base that it holds"),
            11 => Some("the server's administrative limit for this account is too low"),
            12 => Some("the server can't page results, and a read without pages can't be trusted"),
            32 => Some("the base isn't there, or the bind account may not see it"),
            50 => Some("the bind account lacks the right to read this"),
            51 | 52 => Some("the server is overloaded or going down; the next cycle tries again"),
            _ => None,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.0)
    }
}

/// A result that isn't the wanted one, as a person should read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: Code,
    /// What the server said, made fit to be shown.
    pub(super) text: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code.fmt(f)?;
        if !self.text.is_empty() {
            write!(f, ", the server says {:?}", self.text)?;
        }
        if let Some(advice) = self.code.advice() {
            write!(f, "; {advice}")?;
        }
        Ok(())
    }
}

/// Longest text of a server that is shown, in characters.
const SAID_CHARS_MAX: usize = 300;

/// A server's text made fit to be shown: one line, no control characters, not too long.
pub(super) fn said(text: &str) -> String {
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    clean.take(SAID_CHARS_MAX).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_code_the_text_and_the_remedy() {
        let refusal = Refusal { code: Code(4), text: said("too\r\nmany\u{1b}[31m") };
        let text = refusal.to_string();
        assert!(text.starts_with("sizeLimitExceeded (4), the server says \"too  many [31m\"; lower"), "{text}");
    }

    #[test]
    fn every_code_has_a_name_to_show() {
        for code in 0..=123 {
            assert!(!Code(code).to_string().is_empty());
        }
        assert_eq!(Code(99).to_string(), "unknown (99)");
    }
}
