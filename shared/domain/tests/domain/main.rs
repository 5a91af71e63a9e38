//! What holds for every enrollment, whatever happens to it; the stored forms; and the table in ARCHITECTURE.md.

mod assessment;
mod claims;
mod life;
mod samples;
mod stored_forms;
mod table;
