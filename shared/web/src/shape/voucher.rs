//! A paid order that is not used.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

#[derive(Serialize, ToSchema)]
pub(crate) struct Voucher {
    #[schema(example = "co-abcdef0")]
    order: String,
    /// As SSL.com says it.
    status: String,
    amount: Option<String>,
    product: Option<String>,
    /// The caller's own number on it.
    number: Option<String>,
    /// To whom it belongs.
    enrollment: Option<Uuid>,
    /// Whether it can be given to somebody now.
    free: bool,
    /// Why not.
    kept_because: Option<String>,
}

impl From<flow::vouchers::Voucher> for Voucher {
    fn from(voucher: flow::vouchers::Voucher) -> Self {
        Self {
            order: voucher.reference,
            status: voucher.status,
            amount: voucher.amount,
            product: voucher.product,
            number: voucher.number,
            enrollment: voucher.holder.map(|id| id.0),
            free: voucher.kept_because.is_none(),
            kept_because: voucher.kept_because,
        }
    }
}
