/** Held to the same files as Python: `tests/golden/replay`. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { unpack } from '../src/replay/container'
import { readColumns } from '../src/replay/episode'
import { forward, multiply, newPose, pointOf, rotate } from '../src/replay/kinematics'
import { openScene, shaped } from '../src/replay/scene'

const golden = (name: string) => readFileSync(new URL(`../../tests/golden/replay/${name}`, import.meta.url))
const buffer = (name: string): ArrayBuffer => new Uint8Array(golden(name)).buffer
const scene = openScene(buffer('v1.twsc'))
const poses = JSON.parse(golden('kinematics.json').toString()) as Record<string, number[]>[]

const worst = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), a.length - b.length)

describe('kinematics', () => {
  it('knows every joint and every shape', () => {
    expect(new Set(scene.joints.map((joint) => joint.type))).toEqual(new Set([0, 1, 2, 3]))
    expect(new Set(scene.geoms.map((geom) => geom.type))).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7]))
  })

  it.each(poses.map((pose, i) => [i, pose] as const))('puts bodies and shapes where MuJoCo does, pose %i', (_, golden) => {
    const pose = newPose(scene)
    forward(scene, golden['qpos']!, 0, pose, { pos: golden['mocap_pos']!, quat: golden['mocap_quat']!, at: 0 })

    expect(worst(pose.xpos, golden['xpos']!)).toBeLessThan(1e-6)
    for (let b = 0; b < scene.bodies.length; b++) {
      const own = pose.xquat.subarray(4 * b, 4 * b + 4)
      const theirs = golden['xquat']!.slice(4 * b, 4 * b + 4)
      const sign = Math.sign(own.reduce((sum, value, i) => sum + value * theirs[i]!, 0)) // q and -q turn alike
      expect(worst(own.map((value) => value * sign), theirs)).toBeLessThan(1e-6)
    }
    const [at, turn, column] = [new Float64Array(3), new Float64Array(4), new Float64Array(3)]
    scene.geoms.forEach((geom, g) => {
      expect(worst(pointOf(at, pose, geom.body, geom.pos), golden['geom_xpos']!.slice(3 * g, 3 * g + 3))).toBeLessThan(1e-6)
      multiply(turn, pose.xquat, 4 * geom.body, geom.quat, 0)
      for (let axis = 0; axis < 3; axis++) {
        rotate(column, turn, 0, [0, 1, 2].map((i) => Number(i === axis)), 0)
        const matrix = [0, 3, 6].map((row) => golden['geom_xmat']![9 * g + row + axis]!)
        expect(worst(column, matrix)).toBeLessThan(1e-6)
      }
    })
  })

  it('shows an episode as it was randomised and leaves the scene alone', () => {
    const own = shaped(scene, { body_pos: [[3, 2, 9]], body_mass: [[2, 0, 7.5]], geom_size: [[3, 0, 0.5]] })

    expect(own.bodies[3]!.pos[2]).toBe(9)
    expect(own.bodies[2]!.mass).toBe(7.5)
    expect(own.geoms[3]!.size[0]).toBe(0.5)
    expect(scene.bodies[3]!.pos[2]).not.toBe(9)
    expect(shaped(scene, {})).toBe(scene)
  })
})

describe('columns', () => {
  it('are decoded to the last bit as in Python', () => {
    const { columns, facts } = readColumns(buffer('v1.twep'))
    const expected = JSON.parse(golden('v1.twep.json').toString()) as Record<string, (number | null)[]>

    expect(facts?.key).toBe('001-golden:0:0')
    for (const [name, values] of Object.entries(expected))
      expect([...columns.get(name)!.values]).toEqual(values.map((value) => value ?? NaN))
  })

  it.each([
    ['PNG.............', 'does not begin with TWSC'],
    ['TWSC\x63\0\0\0\0\0\0\0', 'of version 99'],
  ])('refuse what they cannot read', (bytes, says) => {
    expect(() => unpack(new TextEncoder().encode(bytes).buffer as ArrayBuffer, 'TWSC')).toThrow(says)
  })
})
