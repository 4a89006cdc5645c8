import type { EventType } from "../../contract";
import type { Flat } from "../event";

/** Tells of an event by its fields: those of the contract, whatever part they belong to, and items. */
export type TellFields = (type: EventType, fields: Flat) => void;

/** Reads a shop's pages. */
export interface Source {
  /** The page is another now, without having been loaded. */
  enter?(): void;
  /** Its content is there, or has changed. */
  scan?(): void;
  /** Something on it was clicked. */
  click?(target: Element): void;
}

/** Makes a source: how a shop's own platform is read. */
export type Adapter = (tell: TellFields) => Source;
