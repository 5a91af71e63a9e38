//! What one certificate costs, beside the key that it is made of: everything else should disappear.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on may panic")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use domain::{KeyAlgorithm, PfxProfile, keys::SealingPadding};
use pki::{
    Bundle, CertificateChain, ConnectorKey, DataKey, PfxPassword, PrivateKey, SealingContext, Subject, build_pfx,
    certificate_request, open_private_key, seal_private_key,
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SubjectPublicKeyInfo};

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(100);
    targets = keys, request, envelope, pfx
}
criterion_main!(benches);

/// The spread is in the nature of it: p90 is about twice the median.
fn keys(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("key");
    for algorithm in [KeyAlgorithm::Rsa2048, KeyAlgorithm::Rsa3072, KeyAlgorithm::P256] {
        group.bench_function(format!("{algorithm:?}"), |bencher| {
            bencher.iter(|| PrivateKey::generate(algorithm).unwrap());
        });
    }
}

fn request(criterion: &mut Criterion) {
    let key = PrivateKey::generate(KeyAlgorithm::Rsa2048).unwrap();
    criterion.bench_function("certificate request", |bencher| {
        bencher.iter(|| {
            let subject = Subject::new("anna@example.com".parse().unwrap(), Some("Anna"), Some("Berg")).unwrap();
            certificate_request(&key, &subject).unwrap()
        });
    });
}

fn envelope(criterion: &mut Criterion) {
    let key = PrivateKey::generate(KeyAlgorithm::Rsa2048).unwrap();
    let data_key = DataKey::from_slice(&[7; DataKey::LENGTH]).unwrap();
    let ids = "018f0000-0000-7000-8000-000000000001";
    let context = SealingContext::of_enrollment(ids.parse().unwrap(), ids.parse().unwrap(), "private-key");
    let sealed = seal_private_key(&data_key, &context, &key).unwrap();
    criterion.bench_function("private key: seal", |bencher| {
        bencher.iter(|| seal_private_key(&data_key, &context, &key).unwrap());
    });
    criterion.bench_function("private key: open", |bencher| {
        bencher.iter(|| open_private_key(&data_key, &context, &sealed).unwrap());
    });
}

fn pfx(criterion: &mut Criterion) {
    let key = PrivateKey::generate(KeyAlgorithm::Rsa2048).unwrap();
    let pem = certificates(&key);
    criterion.bench_function("chain: read and verify", |bencher| bencher.iter(|| chain(&key, &pem)));

    let connector = connector_key();
    criterion.bench_function("connector key: read", |bencher| {
        bencher.iter(|| ConnectorKey::parse(black_box(connector.as_bytes())).unwrap());
    });

    let chain = chain(&key, &pem);
    let connector = ConnectorKey::parse(connector.as_bytes()).unwrap();
    for profile in [PfxProfile::Compatible, PfxProfile::Modern] {
        criterion.bench_function(&format!("PFX and its sealed password: {profile:?}"), |bencher| {
            bencher.iter_batched(
                PfxPassword::random,
                |password| {
                    let pfx = build_pfx(&key, &chain, &password, profile).unwrap();
                    (pfx, connector.seal_password(&password, SealingPadding::OaepSha512).unwrap())
                },
                BatchSize::SmallInput,
            );
        });
    }
}

fn chain(key: &PrivateKey, pem: &str) -> CertificateChain {
    let now = "2026-06-15T12:00:00Z".parse().unwrap();
    Bundle::parse(pem.as_bytes()).unwrap().chain_for(key.public_key_info(), now).unwrap()
}

/// A certificate for the key and the one above it, as an order brings them.
fn certificates(key: &PrivateKey) -> String {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_certificate = authority.self_signed(&authority_key).unwrap();
    let mut leaf = CertificateParams::default();
    leaf.use_authority_key_identifier_extension = true;
    let public_key = SubjectPublicKeyInfo::from_der(key.public_key_info()).unwrap();
    let leaf = leaf.signed_by(&public_key, &Issuer::new(authority, authority_key)).unwrap();
    leaf.pem() + &authority_certificate.pem()
}

/// 4096 bits, the largest that Intune's documentation makes; PEM of a public key is one of the forms that are read.
fn connector_key() -> String {
    let key = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_4096).unwrap();
    key.public_key_pem()
}
