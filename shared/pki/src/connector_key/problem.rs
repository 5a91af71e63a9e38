//! What can be wrong with a pasted connector key, each with what to do about it.

/// Why a text or file is not the public key of a connector. The sentence is for the administrator who pasted it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectorKeyProblem {
    #[error("nothing was pasted; paste the base64 of the file that Export-IntunePublicKey wrote")]
    Empty,
    #[error("this is larger than any public key; paste only the file that Export-IntunePublicKey wrote")]
    TooLarge,
    #[error(
        "this is neither a key file nor base64 nor PEM; paste the base64 of the file that Export-IntunePublicKey wrote"
    )]
    NotAKey,
    #[error("the PEM block is damaged or has no end; copy it again with its BEGIN and END lines")]
    DamagedPem,
    #[error(
        "a PEM block of this kind is not a public key; paste a PUBLIC KEY block or the base64 of the exported file"
    )]
    OtherPem,
    #[error("there is more than one key or certificate; paste exactly one")]
    Several,
    #[error(
        "this is the private key and must not leave the connector server; destroy this copy, make a new key pair on the \
         server, and paste only its public key"
    )]
    PrivateKey,
    #[error(
        "this is a PFX file, which may hold a private key; paste the public key that Export-IntunePublicKey wrote instead"
    )]
    Pfx,
    #[error(
        "this is the old CryptoAPI PUBLICKEYBLOB, whose numbers are little-endian; export the key again with \
         Export-IntunePublicKey"
    )]
    CryptoApiBlob,
    #[error(
        "this is a key blob, but not one of an RSA public key (RSA1); export the key again with Export-IntunePublicKey"
    )]
    OtherBlob,
    #[error("this is not an RSA key; the connector's key pair has to be RSA")]
    NotRsa,
    #[error("the key is cut off: it has {found} of {expected} bytes; copy the whole text again")]
    CutOff { expected: u64, found: u64 },
    #[error("{extra} bytes follow the end of the key; paste only the key")]
    Trailing { extra: u64 },
    #[error("the blob announces prime numbers, which a public key does not have; export the key again")]
    PrimesAnnounced,
    #[error("the blob says {announced} bits but its modulus has {found}; it was damaged or written by another tool")]
    BitLength { announced: u32, found: usize },
    #[error("the DER inside is damaged; copy the whole text again")]
    DamagedDer,
    #[error("the public exponent is even; the key was damaged")]
    ExponentEven,
    #[error("the public exponent is smaller than 3; the key was damaged or is no RSA key")]
    ExponentTooSmall,
    #[error("the public exponent is larger than 2^33; the key was damaged or is in little-endian order")]
    ExponentTooLarge,
    #[error("the modulus is even; the key was damaged or is in little-endian order")]
    ModulusEven,
    #[error("the modulus is divisible by {factor}; the key was damaged or is in little-endian order")]
    SmallFactor { factor: u16 },
    #[error("the key has {bits} bits; make a key pair of at least 2048 bits")]
    TooFewBits { bits: usize },
    #[error("the key has {bits} bits; more than 16384 are not supported")]
    TooManyBits { bits: usize },
    #[error("nothing can be sealed with this key; export it again")]
    Useless,
}
