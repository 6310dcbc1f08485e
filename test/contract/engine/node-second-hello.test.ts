import { NodeEngine } from '../../../gateway/engine/index.ts';
import { secondHelloSuite } from './second-hello-suite.ts';

secondHelloSuite('node', (options, tables) => new NodeEngine(options, tables));
