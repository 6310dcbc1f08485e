/** From saying goodbye until nobody sends anything new, at most; a quarter of `drainMs` when that is less. */
export const farewellMs = 500;
/** For the control plane's word that a goodbye is durable. */
export const leaveMs = 5_000;
/** Envoy waits 15 s for a control plane that does not answer. */
export const envoyPatienceMs = 20_000;
