//! Every quirk, with what it turns. Beside a switch it may let an answer be lost, where the question would not come up else.

use std::time::Duration;

use sim::{
    faults::{Fault, Wait},
    graph::behaviour::{Limits, RetryAfter},
    sslcom::behaviour::{
        Bundle, Callback, ExternalOrderNumber, KeyUsage, OrderAmount, PastTheEnd, StateField, StatusOf,
    },
};

use super::{DirectoryEvent, Quirk, Switches};

/// So many records and calls of Intune in a second: too few for everybody at once.
const FEW: Limits = Limits { writes: 1, calls: 12, window: Duration::from_secs(1) };

fn throttled(switches: &mut Switches, notation: RetryAfter, wait: Wait) {
    switches.graph.limits = Some(FEW);
    switches.graph.retry_after = notation;
    for call in ["graph.users", "graph.user", "graph.pfx_create"] {
        switches.faults.push((call, Fault::Throttle(wait)));
    }
}

fn unknown_status(switches: &mut Switches, of: StatusOf) {
    switches.sslcom.unknown_status_text = Some("in the hands of our specialists".to_owned());
    switches.sslcom.unknown_status_of = of;
}

fn small_pages(switches: &mut Switches) {
    switches.graph.page_size = 2;
}

const fn quirk(name: &'static str, question: &'static str, says: &'static str, turn: fn(&mut Switches)) -> Quirk {
    Quirk { name, question, says, turn }
}

/// Sorted by question.
pub(super) static QUIRKS: &[Quirk] = &[
    quirk(
        "order-number-searchable",
        "what becomes of our order number",
        "SSL.com: our order number can be searched for, and every answer shows it",
        |switches| switches.sslcom.external_order_number = ExternalOrderNumber::Searchable,
    ),
    quirk(
        "order-number-not-listed",
        "what becomes of our order number",
        "SSL.com: only the answer about one order shows our number, a listing does not",
        |switches| switches.sslcom.external_order_number = ExternalOrderNumber::Retrieved,
    ),
    quirk(
        "order-number-forgotten",
        "what becomes of our order number",
        "SSL.com: our order number is taken and never shown again",
        |switches| switches.sslcom.external_order_number = ExternalOrderNumber::Forgotten,
    ),
    quirk(
        "pages-from-0",
        "where the pages of a listing begin",
        "SSL.com: the first page has the number 0",
        |switches| {
            switches.sslcom.first_page = 0;
        },
    ),
    quirk(
        "last-page-repeats",
        "what follows the last page of a listing",
        "SSL.com: a page after the last is the last once more",
        |switches| switches.sslcom.past_the_end = PastTheEnd::Repeats,
    ),
    quirk(
        "last-page-refused",
        "what follows the last page of a listing",
        "SSL.com: a page after the last is refused",
        |switches| switches.sslcom.past_the_end = PastTheEnd::Refused,
    ),
    quirk(
        "vouchers-only-by-filter",
        "whether a listing shows vouchers",
        "SSL.com: an order without a request is listed only under filter=vouchers",
        |switches| switches.sslcom.vouchers_listed = false,
    ),
    quirk(
        "listing-html-500",
        "whether orders can be listed",
        "SSL.com: every listing is an HTML page with 500",
        |switches| {
            switches.sslcom.listing_available = false;
        },
    ),
    quirk(
        "state-or-providence",
        "how the registrant's state is spelt",
        "SSL.com: the field is state_or_providence, and the other spelling is refused",
        |switches| switches.sslcom.state_field = StateField::Providence,
    ),
    quirk(
        "key-usage-as-requested",
        "which key usage is certified",
        "SSL.com: certifies the key usage that the request asks for, both where it asks for none",
        |switches| switches.sslcom.key_usage = KeyUsage::AsRequested,
    ),
    quirk(
        "key-usage-signing",
        "which key usage is certified",
        "SSL.com: certifies signing only, whatever was ordered",
        |switches| switches.sslcom.key_usage = KeyUsage::Signing,
    ),
    quirk(
        "key-usage-encryption",
        "which key usage is certified",
        "SSL.com: certifies encryption only, whatever was ordered",
        |switches| switches.sslcom.key_usage = KeyUsage::Encryption,
    ),
    quirk(
        "epki-not-automatic",
        "whether the EPKI agreement spares the mail",
        "SSL.com: each mailbox gets a validation mail, and its owner clicks soon",
        |switches| {
            switches.sslcom.epki_automatic = false;
            switches.sslcom.clicks_by_themselves_after = Some(Duration::from_millis(300));
        },
    ),
    quirk(
        "nobody-clicks",
        "whether the EPKI agreement spares the mail",
        "SSL.com: each mailbox gets a validation mail, and nobody clicks",
        |switches| {
            switches.sslcom.epki_automatic = false;
            switches.nobody_clicks = true;
        },
    ),
    quirk("amount-different", "what an order costs", "SSL.com: takes a dollar more than the price", |switches| {
        switches.sslcom.order_amount = OrderAmount::Different(100);
    }),
    quirk("amount-unreadable", "what an order costs", "SSL.com: says the amount in words", |switches| {
        switches.sslcom.order_amount = OrderAmount::Unreadable;
    }),
    quirk("callback-never", "how SSL.com calls back", "SSL.com: calls nobody back", |switches| {
        switches.sslcom.callback = Callback::None;
    }),
    quirk("callback-get", "how SSL.com calls back", "SSL.com: calls back by GET", |switches| {
        switches.sslcom.callback = Callback::Get;
    }),
    quirk("callback-form", "how SSL.com calls back", "SSL.com: calls back with a form", |switches| {
        switches.sslcom.callback = Callback::Form;
    }),
    quirk(
        "callback-early",
        "how SSL.com calls back",
        "SSL.com: calls back before there is a certificate",
        |switches| {
            switches.sslcom.callback = Callback::Early;
        },
    ),
    quirk("callback-twice", "how SSL.com calls back", "SSL.com: calls back two times", |switches| {
        switches.sslcom.callback = Callback::Twice;
    }),
    quirk(
        "status-unknown",
        "which status is not in the table",
        "SSL.com: until it is issued, an order's status is a sentence that nobody has seen",
        |switches| unknown_status(switches, StatusOf::Open),
    ),
    quirk(
        "status-unknown-after-request",
        "which status is not in the table",
        "SSL.com: so it is from the request to the certificate",
        |switches| unknown_status(switches, StatusOf::Submitted),
    ),
    quirk(
        "status-unknown-when-issued",
        "which status is not in the table",
        "SSL.com: so it is once the certificate is there",
        |switches| unknown_status(switches, StatusOf::Issued),
    ),
    quirk(
        "certificates-shuffled",
        "how the certificates come",
        "SSL.com: the root, then the leaf, then the intermediate",
        |switches| switches.sslcom.bundle = Bundle::Shuffled,
    ),
    quirk("certificates-twice", "how the certificates come", "SSL.com: each certificate twice", |switches| {
        switches.sslcom.bundle = Bundle::WithDuplicates;
    }),
    quirk("certificates-pkcs7", "how the certificates come", "SSL.com: one PKCS#7 in PEM", |switches| {
        switches.sslcom.bundle = Bundle::Pkcs7;
    }),
    quirk(
        "certificates-base64",
        "how the certificates come",
        "SSL.com: base64 of DER, without PEM's lines",
        |switches| {
            switches.sslcom.bundle = Bundle::Base64;
        },
    ),
    quirk(
        "intermediate-missing",
        "how the certificates come",
        "SSL.com: the leaf alone; --known-intermediates has it completed",
        |switches| switches.sslcom.bundle = Bundle::MissingIntermediate,
    ),
    quirk("errors-with-200", "how a refusal is answered", "SSL.com: every refusal has the status 200", |switches| {
        switches.sslcom.errors_with_200 = true;
    }),
    quirk(
        "html-500",
        "whether an answer can be an HTML page",
        "SSL.com: each purchase, and one of each other call, is done and answered with an HTML page and 500",
        |switches| {
            for call in ["sslcom.create", "sslcom.update", "sslcom.retrieve", "sslcom.list"] {
                switches.faults.push((call, Fault::FailAfter(500)));
            }
        },
    ),
    quirk(
        "retry-after-seconds",
        "how Microsoft asks to wait",
        "Microsoft: throttles, Retry-After in seconds",
        |switches| throttled(switches, RetryAfter::Seconds, Wait::Seconds(1)),
    ),
    quirk(
        "retry-after-date",
        "how Microsoft asks to wait",
        "Microsoft: throttles, Retry-After as a date",
        |switches| {
            throttled(switches, RetryAfter::Date, Wait::Date(Duration::from_secs(1)));
        },
    ),
    quirk(
        "retry-after-milliseconds",
        "how Microsoft asks to wait",
        "Microsoft: throttles, x-ms-retry-after-ms",
        |switches| throttled(switches, RetryAfter::Milliseconds, Wait::Milliseconds(700)),
    ),
    quirk(
        "retry-after-absent",
        "how Microsoft asks to wait",
        "Microsoft: throttles, and does not say how long",
        |switches| {
            throttled(switches, RetryAfter::Absent, Wait::Absent);
        },
    ),
    quirk(
        "records-show-late",
        "when a new record shows",
        "Microsoft: two reads do not show a new record, and the answers to two were lost",
        |switches| {
            switches.graph.get_lags_behind_post = 2;
            switches.faults.push(("graph.pfx_create", Fault::LoseAnswer));
            switches.faults.push(("graph.pfx_create", Fault::FailAfter(500)));
        },
    ),
    quirk(
        "deleted-still-listed",
        "when a deleted record is gone",
        "Microsoft: three lists still hold a deleted record",
        |switches| {
            switches.graph.delete_still_lists = 3;
        },
    ),
    quirk(
        "duplicate-400",
        "how a duplicate record is refused",
        "Microsoft: by the 400 that has no reason; the first answers were lost and the records show late",
        |switches| duplicates(switches, 400),
    ),
    quirk("duplicate-409", "how a duplicate record is refused", "Microsoft: so, but by 409", |switches| {
        duplicates(switches, 409);
    }),
    quirk(
        "licence-unseen",
        "whether Intune sees every licence",
        "Microsoft: the 400 that has no reason, because Intune has not seen the licences that the directory shows",
        |switches| switches.graph.licences_unseen = true,
    ),
    quirk("no-app-roles", "what an app-only token may do", "Microsoft: app-only tokens have no roles", |switches| {
        switches.app_roles = Some(&[]);
    }),
    quirk(
        "no-intune-role",
        "what an app-only token may do",
        "Microsoft: app-only tokens may read people only",
        |switches| {
            switches.app_roles = Some(&["User.Read.All"]);
        },
    ),
    quirk(
        "next-link-elsewhere",
        "where the next page is",
        "Microsoft: @odata.nextLink leads to another host",
        |switches| {
            small_pages(switches);
            switches.graph.next_link_on_another_host = true;
        },
    ),
    quirk(
        "empty-pages",
        "whether pages are empty",
        "Microsoft: pages of two, and an empty one before each but the first",
        |switches| {
            small_pages(switches);
            switches.graph.empty_pages = true;
        },
    ),
    quirk(
        "delta-replays",
        "what a second import meets",
        "Microsoft: somebody changed since the first import, and delta tells it twice",
        |switches| {
            switches.graph.delta_replays = true;
            switches.before_second_import = Some(DirectoryEvent::SomebodyChanges);
        },
    ),
    quirk(
        "delta-expired-410",
        "what a second import meets",
        "Microsoft: the delta link is too old, told by 410",
        |switches| {
            switches.before_second_import = Some(DirectoryEvent::LinksExpire);
        },
    ),
    quirk(
        "delta-expired-400",
        "what a second import meets",
        "Microsoft: the delta link is too old, told by 400 and the code syncStateNotFound",
        |switches| {
            switches.graph.expired_delta_status = 400;
            switches.before_second_import = Some(DirectoryEvent::LinksExpire);
        },
    ),
];

/// The record is there, three reads do not show it, and so it is posted again.
fn duplicates(switches: &mut Switches, status: u16) {
    switches.graph.duplicate_status = status;
    switches.graph.get_lags_behind_post = switches.graph.get_lags_behind_post.max(3);
    switches.faults.push(("graph.pfx_create", Fault::LoseAnswer));
    switches.faults.push(("graph.pfx_create", Fault::FailAfter(500)));
}
