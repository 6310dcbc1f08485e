//! Which endpoint a connection goes to: gateway/balance as tables and arithmetic. TypeScript makes the plan (priorities, panic, localities,
//! suspicions, warm-up); here it is followed, by the same rotations. Pure, but for where rotations stand.

mod attempts;
mod hash;
mod plan;
mod random;
mod split;

pub use attempts::Attempts;
pub use plan::{Picker, Plan};
pub use random::Random;
pub use split::{Dialled, NoWay, Routing};
