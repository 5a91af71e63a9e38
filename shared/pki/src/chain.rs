//! From a bag of certificates to the one path that matters. A [`CertificateChain`] exists only in order and with every
//! signature verified, so nobody has to check that again.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::{Certificate, armor};

/// The certificate for our key, those above it, and what else was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateChain {
    leaf: Certificate,
    intermediates: Vec<Certificate>,
    root: Option<Certificate>,
    unused: Vec<Certificate>,
}

impl CertificateChain {
    /// `None` if no certificate is for this key. A leaf whose issuer is missing is a chain of one.
    ///
    /// Prefers certificates in force to expired ones, then a path that ends in a self-signed root to one that stops
    /// earlier, then the shortest: so a root is taken instead of its cross-signed twin.
    pub(crate) fn build(certificates: &[Certificate], public_key_info: &[u8], now: Timestamp) -> Option<Self> {
        Self::of(certificates, certificates.len(), public_key_info, now)
    }

    /// What was sent comes first. Only a path that does not reach a root is looked for again with the `known` ones, and
    /// they count only where that makes it longer.
    pub(crate) fn completed(
        sent: &[Certificate],
        known: &[Certificate],
        public_key_info: &[u8],
        now: Timestamp,
    ) -> Option<Self> {
        let as_sent = Self::build(sent, public_key_info, now)?;
        if as_sent.root.is_some() {
            return Some(as_sent);
        }
        let news = known.iter().filter(|certificate| !sent.contains(certificate));
        let all: Vec<_> = sent.iter().chain(news).cloned().collect();
        let completed = Self::of(&all, sent.len(), public_key_info, now)?;
        Some(if completed.members().count() > as_sent.members().count() { completed } else { as_sent })
    }

    /// The first `sent` certificates came with the answer: among them is the leaf, and only they can be called unused.
    fn of(certificates: &[Certificate], sent: usize, public_key_info: &[u8], now: Timestamp) -> Option<Self> {
        let leaf = (0..sent).filter(|at| certificates[*at].public_key_info() == public_key_info).max_by_key(|at| {
            let leaf = &certificates[*at];
            (leaf.is_valid_at(now), leaf.not_before(), leaf.not_after(), leaf.der())
        })?;
        let in_force = path(certificates, leaf, |certificate| certificate.is_valid_at(now));
        let chosen = if in_force.members.len() > 1 { in_force } else { path(certificates, leaf, |_| true) };

        let unused = (0..sent).filter(|at| !chosen.members.contains(at));
        let unused = unused.map(|at| certificates[at].clone()).collect();
        let mut above: Vec<_> = chosen.members[1..].iter().map(|at| certificates[*at].clone()).collect();
        let root = if chosen.complete { above.pop() } else { None };
        Some(Self { leaf: certificates[leaf].clone(), intermediates: above, root, unused })
    }

    pub fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// From the leaf's issuer upwards, without the root.
    pub fn intermediates(&self) -> &[Certificate] {
        &self.intermediates
    }

    /// The self-signed end of the path, if the CA sent it. Devices trust their own copy, so it is never imported.
    pub fn root(&self) -> Option<&Certificate> {
        self.root.as_ref()
    }

    /// What was sent but does not belong to the path: cross-signed twins, other leaves, strays.
    pub fn unused(&self) -> &[Certificate] {
        &self.unused
    }

    /// Leaf, intermediates and root, for keeping: [`crate::Bundle::parse`] and `chain_for` give the same chain again.
    pub fn to_pem(&self) -> String {
        self.members().map(|certificate| armor::to_pem("CERTIFICATE", certificate.der())).collect()
    }

    /// From the leaf to the last certificate above it.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Certificate> {
        std::iter::once(&self.leaf).chain(&self.intermediates).chain(&self.root)
    }
}

struct Path {
    /// Indices from the leaf upwards.
    members: Vec<usize>,
    /// Whether the last one signed itself.
    complete: bool,
}

/// A breadth-first search upwards from the leaf: the shortest path to a self-signed certificate, else the longest of the
/// shortest paths. Each certificate is visited once, so cross-signed loops end.
fn path(certificates: &[Certificate], leaf: usize, usable: impl Fn(&Certificate) -> bool) -> Path {
    let mut below = vec![None; certificates.len()];
    let mut depth = vec![0_usize; certificates.len()];
    let mut waiting = VecDeque::from([leaf]);
    let mut deepest = leaf;
    while let Some(at) = waiting.pop_front() {
        let certificate = &certificates[at];
        if at != leaf && certificate.names_itself_as_issuer() && certificate.is_signed_by(certificate) {
            return Path { members: down_from(at, &below), complete: true };
        }
        if depth[at] > depth[deepest] {
            deepest = at;
        }
        let mut issuers: Vec<usize> = (0..certificates.len())
            .filter(|above| *above != leaf && below[*above].is_none() && usable(&certificates[*above]))
            .filter(|above| certificate.claims_issuer(&certificates[*above]))
            .filter(|above| certificate.is_signed_by(&certificates[*above]))
            .collect();
        // Among twins with one name and key, a CA in force for longest; the bytes only make the choice repeatable.
        issuers.sort_by_key(|above| {
            let issuer = &certificates[*above];
            std::cmp::Reverse((issuer.authority.is_some(), issuer.not_after(), issuer.der()))
        });
        for above in issuers {
            below[above] = Some(at);
            depth[above] = depth[at] + 1;
            waiting.push_back(above);
        }
    }
    Path { members: down_from(deepest, &below), complete: false }
}

fn down_from(top: usize, below: &[Option<usize>]) -> Vec<usize> {
    let mut members: Vec<usize> = std::iter::successors(Some(top), |at| below[*at]).collect();
    members.reverse();
    members
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests;
