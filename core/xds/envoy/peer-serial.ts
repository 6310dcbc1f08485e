import { BinaryWriter } from '@bufbuild/protobuf/wire';
import type { Filter } from '../gen/envoy/config/listener/v3/listener_components.ts';
import { FilterStateValue } from '../gen/envoy/extensions/filters/common/set_filter_state/v3/value.ts';
import type { TypedExtensionConfig } from '../gen/xds/core/v3/extension.ts';
import { setAfterHandshake } from './set-filter-state.ts';

/*
 * Envoy knows certificates that were taken back only from lists that a CA has signed, and no input of its matchers is a serial number. A
 * connection can keep it as a value of its own, though, and that is an input.
 */
const key = 'isthmus.peer_serial';

/** Goes before whatever reads the number. */
export const keepPeerSerial: Filter = setAfterHandshake(
  FilterStateValue.create({
    key: { $case: 'objectKey', value: key },
    factoryKey: 'envoy.string',
    value: {
      $case: 'formatString',
      value: { format: { $case: 'textFormatSource', value: { specifier: { $case: 'inlineString', value: '%DOWNSTREAM_PEER_SERIAL%' } } } },
    },
    readOnly: true,
  }),
);

/** FilterStateInput{key} */
export const peerSerialInput: TypedExtensionConfig = {
  name: 'peer-serial',
  typedConfig: {
    typeUrl: 'type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3.FilterStateInput',
    value: Buffer.from(
      new BinaryWriter()
        .uint32((1 << 3) | 2)
        .string(key)
        .finish(),
    ),
  },
};

export function serialRegex(serials: readonly string[]): string {
  return `(?i)0*(?:${serials.map((serial) => serial.replace(/^0+/, '')).join('|')})`;
}

/** In the Common Expression Language, which has that value as bytes: Envoy writes two digits for each byte of the number. */
export function peerSerialIn(serials: readonly string[]): string {
  const list = serials.map((serial) => {
    const digits = serial.replace(/^0+/, '');
    return `b'${digits.length % 2 === 0 ? '' : '0'}${digits}'`;
  });
  return `filter_state['${key}'] in [${list.join()}]`;
}
