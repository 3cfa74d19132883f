//! Tests of planning.

use super::*;
