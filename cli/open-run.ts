// A device and a session on it, opened anew where the device is lost.
import type { Device, Session } from "../runtime/index.ts";

/** Disposing frees what is open at that time. */
export class OpenRun {
  readonly #openDevice: () => Promise<Device>;
  readonly #openSession: (device: Device) => Promise<Session>;
  #device: Device;
  #session: Session | undefined;

  /** `device` is open already; `openDevice` opens another one like it. */
  constructor(device: Device, openDevice: () => Promise<Device>, openSession: (device: Device) => Promise<Session>) {
    this.#device = device;
    this.#openDevice = openDevice;
    this.#openSession = openSession;
  }

  /** The one that is open. */
  get device(): Device {
    return this.#device;
  }

  /** The first session, on the device that is open. */
  async open(): Promise<Session> {
    this.#session = await this.#openSession(this.#device);
    return this.#session;
  }

  /** Another session on another device. */
  async reopen(): Promise<Session> {
    this.#free();
    this.#device = await this.#openDevice();
    return this.open();
  }

  [Symbol.dispose](): void {
    this.#free();
  }

  #free(): void {
    this.#session?.dispose();
    this.#session = undefined;
    this.#device.dispose();
  }
}
