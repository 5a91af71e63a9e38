//! Everything that needs the emulator of AWS: the platform contract, and the deployed application end to end.

mod platform_contract;
