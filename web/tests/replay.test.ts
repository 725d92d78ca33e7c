import { describe, expect, it } from 'vitest'
import { Episode, type Facts } from '../src/replay/episode'
import { BoxGeometry, Matrix4, Mesh } from 'three'
import { grouped } from '../src/replay/facts'
import { firstBeyond, quantities, type Quantity } from '../src/replay/fall'
import { firstTouchdown, gaitOf } from '../src/replay/gait'
import { Player } from '../src/replay/player'
import type { Scene } from '../src/replay/scene'
import { valueOf } from '../src/replay/fall-strip'
import { SoftShadow } from '../src/replay/soft-shadow'
import { together } from '../src/replay/together'
import { hull, sizeOf, speedAt, type Track } from '../src/replay/track'

const column = (name: string, values: number[], lead: number, width = 1) =>
  [name, { name, count: values.length / width, width, lead, values: Float64Array.from(values) }] as const

/** A second of a robot with one foot: 0.02 s a step, state of the start included. */
function episode(columns: Record<string, number[]>, facts: Partial<Facts> = {}): Episode {
  const frames = Array.from({ length: 51 }, (_, i) => i)
  const told = { step_s: 0.02, limits: [], feet: [], ...facts } as unknown as Facts
  const own = Object.entries(columns).map(([name, values]) => column(name, values, values.length - 50))
  return new Episode(told, new Map([column('frame', frames, 1), ...own]))
}

describe('an episode', () => {
  it('knows which state is shown at a time', () => {
    const own = episode({})
    expect(own.frames).toBe(51)
    expect(own.duration).toBeCloseTo(1)
    expect([0, 0.019, 0.02, 0.5, 99].map((time) => own.frameAt(time))).toEqual([0, 0, 1, 25, 50])
  })

  it('has no step before its first', () => {
    const own = episode({ reward: Array(50).fill(3) })
    expect(own.value('reward', 0)).toBeNaN()
    expect(own.value('reward', 1)).toBe(3)
    expect(own.value('nothing', 1)).toBeNaN()
  })
})

describe('gait', () => {
  const down = Array.from({ length: 50 }, (_, i) => Number(i % 10 < 5)) // stands 0.1 of every 0.2 s
  const own = episode({ foot_contact: down }, { feet: [{ name: 'FR', field: 'foot_force', column: 0, geom: 0 }] })

  it('has duty factor and frequency', () => {
    const [foot] = gaitOf(own)
    expect(foot!.duty).toBeCloseTo(0.5)
    expect(foot!.frequency).toBeCloseTo(5)
    expect(foot!.stances).toHaveLength(5)
  })

  it('makes no stride when a foot bounces on its sole', () => {
    const bouncing = down.map((stands, i) => (i % 10 === 2 ? 0 : stands))
    const [foot] = gaitOf(episode({ foot_contact: bouncing }, own.facts))
    expect(foot!.stances).toHaveLength(10)
    expect(foot!.frequency).toBeCloseTo(5)
  })

  it('has a first touchdown', () => {
    expect(firstTouchdown(gaitOf(own), 0.02)).toBeCloseTo(0.22)
    expect(firstTouchdown([], 0.02)).toBe(0)
  })
})

describe('why it ended', () => {
  const scene = {
    joints: [{ name: 'knee', type: 3, qpos: 1, range: [-1, 1] }],
    actuators: [{ name: 'knee', joint: 0, gear: 2, limit: 5 }],
  } as unknown as Scene
  const states = Array.from({ length: 51 }, (_, i) => [i < 48 ? 0.3 : 0.1, i < 40 ? 0 : 1.2]).flat()
  const own = episode({ torque: Array.from({ length: 50 }, (_, i) => (i < 34 ? 1 : 10)) }, { limits: [{ name: 'height', unit: 'm', qpos: 0, low: 0.14 }] })
  own.columns.set(...column('qpos', states, 1, 2))

  it('tells which quantity crossed first', () => {
    const told = quantities(own, scene, null)
    expect(told.map(({ kind }) => kind)).toEqual(['torque', 'range', 'limit'])
    expect(told.map(({ crossed }) => crossed!.toFixed(2))).toEqual(['0.30', '0.20', '0.04'])
  })

  it('keeps quantities that end an episode also where they held', () => {
    const calm = episode({}, { limits: [{ name: 'height', unit: 'm', qpos: 0, low: 0.05 }] })
    calm.columns.set(...column('qpos', states, 1, 2))
    expect(quantities(calm, null, null)).toMatchObject([{ name: 'height', crossed: null }])
  })
})

describe('what is told of a limit', () => {
  const told: Omit<Quantity, 'unit' | 'values' | 'low'> = { kind: 'limit', name: 'height', times: [], crossed: null, high: null }

  it('is how it stood in the end, with its unit', () => {
    expect(valueOf({ ...told, unit: 'm', values: [0.3, 0.23, NaN], low: 0.14 })).toBe('0.23 m, limit 0.14')
  })
  it('is the tilt in degrees where a cosine was recorded', () => {
    expect(valueOf({ ...told, unit: 'cos', values: [1, Math.SQRT1_2], low: 0.5 })).toBe('tilt 45°, limit 60°')
  })
})

describe('the speed at an instant', () => {
  it('is ahead and to the left of where the robot looks', () => {
    const moved = { velocity: Float32Array.of(0, 0, 0, 0, 1, 0), heading: Float32Array.of(1, 0, 0, 0, 1, 0) } as unknown as Track
    expect(speedAt(moved, 1)).toEqual([1, 0])
    expect(speedAt({ ...moved, heading: Float32Array.of(1, 0, 0, 1, 0, 0) }, 1)).toEqual([0, 1])
  })
})

describe('the support polygon', () => {
  it('is the hull of the standing feet', () => {
    expect(hull([[0, 0], [2, 0], [2, 2], [0, 2], [1, 1]])).toHaveLength(4)
    expect(hull([[0, 0], [1, 1]])).toHaveLength(2)
    expect(hull([])).toEqual([])
  })
})

describe('the player', () => {
  it('steps, stays within the episode and changes its speed', () => {
    const player = new Player()
    player.open(1, 0.02)
    player.step(3)
    expect(player.time.value).toBeCloseTo(0.06)
    player.step(-10)
    expect(player.time.value).toBe(0)
    player.seek(5)
    expect(player.time.value).toBe(1)
    player.faster(1)
    expect(player.speed.value).toBe(2)
    for (let i = 0; i < 9; i++) player.faster(-1)
    expect(player.speed.value).toBe(0.1)
    player.toggle()
    expect([player.playing.value, player.time.value]).toEqual([true, 0])
  })
})

describe('an episode that was simulated again', () => {
  const down = Array.from({ length: 50 }, (_, i) => Number(i % 10 < 5))
  const feet = [{ name: 'FR', field: 'foot_force', column: 0, geom: 0 }]
  const height = Array.from({ length: 51 }, (_, i) => 1 - i / 50)
  const loaded = (own: Episode) => ({ episode: own, scene: null, track: null, gait: gaitOf(own), more: async () => undefined })

  it('begins where the recorded one does, wherever others are aligned', () => {
    const recorded = loaded(episode({ foot_contact: down }, { feet }))
    const again = loaded(episode({}, { simulated: { step: 20, exact: true } }))
    const late = loaded(episode({ foot_contact: down.slice(3).concat([0, 0, 0]) }, { feet }))
    const [, ghost, other] = together([recorded, again, late], 'touchdown', 0)
    expect(ghost!.offset ?? 0).toBe(0)
    expect(ghost!.shift).toEqual({ x: 0, y: 0, yaw: 0 })
    expect(other!.offset).toBeCloseTo(-0.06)
  })

  it('is told of by the first limit that it crosses', () => {
    const limits = [{ name: 'height', unit: 'm', qpos: 0, low: 0.405 }]
    expect(firstBeyond(episode({ qpos: height }, { limits }), null)).toEqual({ name: 'height', s: 0.6 })
    expect(firstBeyond(episode({ qpos: height }, { limits: [{ ...limits[0]!, low: -1 }] }), null)).toBeNull()
  })
})

describe('what was randomised', () => {
  const told = (value: number) => ({ field: 'body_mass', of: 'trunk', index: 1, part: null, value, scene: 5.2 })

  it('is what differs from the scene, by more than rounding', () => {
    expect(grouped([told(5.2 * (1 + 1e-15))])).toEqual([])
    expect(grouped([told(5.3)])).toHaveLength(1)
  })
})

describe('the shadow that a processor can draw', () => {
  const shadow = (z: number, quat: number[]) => {
    const made = new SoftShadow([{ mesh: new Mesh(new BoxGeometry(2, 0.4, 0.2)), body: 0 }], 0.5)
    made.update([3, 4, z], quat)
    const at = new Matrix4()
    made.getMatrixAt(0, at)
    return { at: at.elements, strength: made.geometry.getAttribute('strength').getX(0) }
  }

  it('lies below what throws it, drawn out and turned as that is', () => {
    const { at, strength } = shadow(0.5, [1, 0, 0, 0])
    expect([at[12], at[13]]).toEqual([3, 4])
    expect(at[14]).toBeCloseTo(0.502)
    expect(at[0]! / at[5]!).toBeCloseTo(5) // 2 m by 0.4 m
    const turned = shadow(0.5, [Math.SQRT1_2, 0, 0, Math.SQRT1_2])
    expect(turned.at[0]! / turned.at[5]!).toBeCloseTo(0.2)
    const steep = shadow(0.5, [Math.SQRT1_2, 0, Math.SQRT1_2, 0])
    expect(steep.at[0]! / at[0]!).toBeCloseTo(0.1) // 0.2 m of 2 m
    expect(shadow(2.5, [1, 0, 0, 0]).strength).toBeLessThan(strength / 2)
  })
})

describe('the size of a robot', () => {
  const body = (parent: number, pos: number[]) => ({ name: '', parent, pos, quat: [1, 0, 0, 0], joints: [0, 0], mocap: -1, mass: 1, centre: [0, 0, 0] })
  const geom = (on: number, type: number, size: number[]) => ({ name: '', body: on, type, size, pos: [0, 0, 0], quat: [1, 0, 0, 0], group: 0, data: -1, material: -1, rgba: [1, 1, 1, 1] })

  it('is its own, not that of hills or of what stands by', () => {
    const scene = {
      nq: 7,
      qpos0: [0, 0, 1, 1, 0, 0, 0],
      extent: 90,
      bodies: [body(0, [0, 0, 0]), { ...body(0, [0, 0, 1]), joints: [0, 1] }, body(1, [0, 0, -1]), body(0, [40, 0, 0])],
      joints: [{ name: '', type: 0, qpos: 0, body: 1, pos: [0, 0, 0], axis: [0, 0, 1], range: null }],
      geoms: [geom(0, 1, [50, 50, 9]), geom(1, 2, [0.1]), geom(2, 2, [0.1]), geom(3, 6, [1, 1, 1])],
    } as unknown as Scene
    expect(sizeOf(scene)).toBeCloseTo(0.94 * Math.hypot(0.2, 0.2, 1.2))
  })
})
