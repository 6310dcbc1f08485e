import { BinaryReader } from '@bufbuild/protobuf/wire';
import { Cluster } from '../../core/xds/gen/envoy/config/cluster/v3/cluster.ts';
import { TransportSocket } from '../../core/xds/gen/envoy/config/core/v3/base.ts';
import { ClusterLoadAssignment } from '../../core/xds/gen/envoy/config/endpoint/v3/endpoint.ts';
import { Listener } from '../../core/xds/gen/envoy/config/listener/v3/listener.ts';
import { Action } from '../../core/xds/gen/envoy/config/rbac/v3/rbac.ts';
import { RouteConfiguration } from '../../core/xds/gen/envoy/config/route/v3/route.ts';
import { HttpGrpcAccessLogConfig, TcpGrpcAccessLogConfig } from '../../core/xds/gen/envoy/extensions/access_loggers/grpc/v3/als.ts';
import { StdoutAccessLog } from '../../core/xds/gen/envoy/extensions/access_loggers/stream/v3/stream.ts';
import { FilterStateValue } from '../../core/xds/gen/envoy/extensions/filters/common/set_filter_state/v3/value.ts';
import { CorsPolicy } from '../../core/xds/gen/envoy/extensions/filters/http/cors/v3/cors.ts';
import { HTTPFault } from '../../core/xds/gen/envoy/extensions/filters/http/fault/v3/fault.ts';
import { RBAC as HttpRbac } from '../../core/xds/gen/envoy/extensions/filters/http/rbac/v3/rbac.ts';
import { Router } from '../../core/xds/gen/envoy/extensions/filters/http/router/v3/router.ts';
import { TlsInspector } from '../../core/xds/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.ts';
import { HttpConnectionManager } from '../../core/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts';
import { RBAC as NetworkRbac } from '../../core/xds/gen/envoy/extensions/filters/network/rbac/v3/rbac.ts';
import { TcpProxy } from '../../core/xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.ts';
import { PreviousPrioritiesConfig } from '../../core/xds/gen/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config.ts';
import { RawBuffer } from '../../core/xds/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.ts';
import { Secret } from '../../core/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret.ts';
import { DownstreamTlsContext, UpstreamTlsContext } from '../../core/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls.ts';
import { HttpProtocolOptions } from '../../core/xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options.ts';
import { StringValue } from '../../core/xds/gen/google/protobuf/wrappers.ts';

interface Decoder {
  decode(input: BinaryReader | Uint8Array): unknown;
}

const network = 'envoy.extensions.filters.network';
const tls = 'envoy.extensions.transport_sockets.tls.v3';

const decoders: Readonly<Record<string, Decoder>> = {
  'envoy.config.cluster.v3.Cluster': Cluster,
  'envoy.config.endpoint.v3.ClusterLoadAssignment': ClusterLoadAssignment,
  'envoy.config.listener.v3.Listener': Listener,
  'envoy.config.rbac.v3.Action': Action,
  'envoy.config.route.v3.RouteConfiguration': RouteConfiguration,
  'envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig': withTagValues(HttpGrpcAccessLogConfig),
  'envoy.extensions.access_loggers.grpc.v3.TcpGrpcAccessLogConfig': withTagValues(TcpGrpcAccessLogConfig),
  'envoy.extensions.access_loggers.stream.v3.StdoutAccessLog': StdoutAccessLog,
  'envoy.extensions.filters.http.cors.v3.CorsPolicy': CorsPolicy,
  'envoy.extensions.filters.http.fault.v3.HTTPFault': HTTPFault,
  'envoy.extensions.filters.http.rbac.v3.RBAC': HttpRbac,
  'envoy.extensions.filters.http.router.v3.Router': Router,
  'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector': TlsInspector,
  [`${network}.http_connection_manager.v3.HttpConnectionManager`]: HttpConnectionManager,
  [`${network}.rbac.v3.RBAC`]: NetworkRbac,
  [`${network}.set_filter_state.v3.Config`]: onlyField(2, 'onDownstreamTlsHandshake', FilterStateValue),
  [`${network}.tcp_proxy.v3.TcpProxy`]: TcpProxy,
  'envoy.extensions.matching.common_inputs.network.v3.FilterStateInput': onlyField(1, 'key', {
    decode: (bytes) => Buffer.from(bytes as Uint8Array).toString(),
  }),
  'envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport': onlyField(3, 'transportSocket', TransportSocket),
  'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer': RawBuffer,
  'envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig': PreviousPrioritiesConfig,
  [`${tls}.Secret`]: Secret,
  [`${tls}.DownstreamTlsContext`]: DownstreamTlsContext,
  [`${tls}.UpstreamTlsContext`]: UpstreamTlsContext,
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': HttpProtocolOptions,
  'google.protobuf.StringValue': StringValue,
};

/** Messages that are newer than the generated ones, or not generated, by the one field that is used of them. */
function onlyField(number: number, name: string, type: Decoder): Decoder {
  return {
    decode(input) {
      const reader = input instanceof BinaryReader ? input : new BinaryReader(input);
      const each: unknown[] = [];
      while (reader.pos < reader.len) {
        if (reader.uint32() >>> 3 !== number) throw new Error('another field');
        each.push(type.decode(reader.bytes()));
      }
      return { [name]: each };
    },
  };
}

/** CustomTag.value is newer than the generated messages; the tags are all that comes in the last field of that number. */
function withTagValues(type: { decode(bytes: Uint8Array): { commonConfig: object | undefined } }): Decoder {
  return {
    decode(input) {
      const bytes = input as Uint8Array;
      const whole = new BinaryReader(bytes);
      let last: Uint8Array = new Uint8Array();
      while (whole.pos < whole.len) if (whole.uint32() === ((1 << 3) | 2)) last = whole.bytes();
      const tags: Record<string, string> = {};
      for (const reader = new BinaryReader(last); reader.pos < reader.len; ) {
        if (reader.uint32() !== ((8 << 3) | 2)) throw new Error('another field');
        const tag = new BinaryReader(reader.bytes());
        const texts = new Map<number, string>();
        while (tag.pos < tag.len) texts.set(tag.uint32() >>> 3, tag.string());
        tags[texts.get(1) ?? ''] = texts.get(6) ?? '';
      }
      const message = type.decode(bytes);
      return { ...message, commonConfig: { ...message.commonConfig, customTags: tags } };
    },
  };
}

/** A resource as people read it: what is inside other messages decoded too, and what says nothing left out. */
export function readEnvoyMessage(typeUrl: string, bytes: Uint8Array): unknown {
  const name = typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
  if (bytes.length === 0) return { '@type': name };
  const decoder = decoders[name];
  if (decoder === undefined) throw new Error(`no decoder for ${name}`);
  return { '@type': name, ...(readable(decoder.decode(bytes)) as object) };
}

function readable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(readable);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (typeof value !== 'object' || value === null) return value;
  if ('typeUrl' in value && 'value' in value) return readEnvoyMessage(String(value.typeUrl), value.value as Uint8Array);
  if ('$case' in value && 'value' in value) return { [String(value.$case)]: readable(value.value) };
  const entries = Object.entries(value).filter(([, each]) => !saysNothing(each));
  return Object.fromEntries(entries.map(([key, each]) => [key, readable(each)]));
}

function saysNothing(value: unknown): boolean {
  if (value === undefined || value === '' || value === 0 || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && value !== null && !('$case' in value) && Object.keys(value).length === 0;
}
