// The hand-written copy copies: a yardstick that left something out would flatter nobody.
import { describe, expect, test } from "vitest";
import { copyByHand } from "../../bench/kernels/yardstick.ts";
import { sleepUntil } from "../../runtime/index.ts";
import { availableAdapters } from "../support/adapters.ts";

for (const adapter of await availableAdapters()) {
  describe(adapter.name, () => {
    test("every element arrives", async () => {
      using device = await adapter.open();
      const values = Float32Array.from({ length: 3 * 4096 }, (_, i) => i + 0.5);
      const copy = await copyByHand(device, values.length);
      device.gpu.queue.writeBuffer(copy.source, 0, values);
      copy.submit();
      const staging = device.gpu.createBuffer({
        size: values.byteLength,
        usage: device.bufferUsage.COPY_DST | device.bufferUsage.MAP_READ,
      });
      const encoder = device.gpu.createCommandEncoder();
      encoder.copyBufferToBuffer(copy.destination, 0, staging, 0, values.byteLength);
      device.gpu.queue.submit([encoder.finish()]);
      await sleepUntil(staging.mapAsync(device.mapMode.READ));
      expect(new Float32Array(staging.getMappedRange().slice(0))).toEqual(values);
      copy.dispose();
    });

    test("a size that would leave a rest is refused", async () => {
      using device = await adapter.open();
      await expect(copyByHand(device, 4095)).rejects.toThrow("multiples of 4096");
    });
  });
}
