import { BinaryWriter } from '@bufbuild/protobuf/wire';
import type { Filter } from '../gen/envoy/config/listener/v3/listener_components.ts';
import { FilterStateValue } from '../gen/envoy/extensions/filters/common/set_filter_state/v3/value.ts';

/** Keeps values on the connection when it begins (Config.on_new_connection). */
export function setAtBeginning(...values: readonly FilterStateValue[]): Filter {
  return setFilterState(1, values);
}

/** Keeps a value on the connection when its handshake is over (Config.on_downstream_tls_handshake: newer than the generated messages). */
export function setAfterHandshake(value: FilterStateValue): Filter {
  return setFilterState(2, [value]);
}

function setFilterState(field: number, values: readonly FilterStateValue[]): Filter {
  const config = new BinaryWriter();
  for (const value of values) FilterStateValue.encode(value, config.uint32((field << 3) | 2).fork()).join();
  const typeUrl = 'type.googleapis.com/envoy.extensions.filters.network.set_filter_state.v3.Config';
  return {
    name: 'envoy.filters.network.set_filter_state',
    configType: { $case: 'typedConfig', value: { typeUrl, value: Buffer.from(config.finish()) } },
  };
}
