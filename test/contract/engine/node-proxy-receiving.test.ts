import { NodeEngine } from '../../../gateway/engine/index.ts';
import { proxyReceivingSuite } from './proxy-receiving-suite.ts';

proxyReceivingSuite('node', (options, tables) => new NodeEngine(options, tables));
