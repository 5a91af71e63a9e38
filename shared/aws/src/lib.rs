//! The AWS platform.
