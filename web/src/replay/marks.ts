/** What is drawn over the robot: forces, velocities, trails, support, joints at their limits. */
import {
  BufferAttribute,
  BufferGeometry,
  ConeGeometry,
  CylinderGeometry,
  DynamicDrawUsage,
  Group,
  Line,
  LineBasicMaterial,
  Mesh,
  MeshBasicMaterial,
  SphereGeometry,
  Vector3,
} from 'three'
import type { Episode } from './episode'
import { pointOf, type Pose } from './kinematics'
import type { Scene } from './scene'
import { footForce, hull, sizeOf, stands, type Track } from './track'

export interface Shown {
  forces: boolean
  velocity: boolean
  trails: boolean
  balance: boolean
  limits: boolean
  collision: boolean
}

export const FOOT_COLOURS = [0x2f7de1, 0xe8710a, 0x0f9d7a, 0xc2418f, 0x8a63d2, 0x9aa01a, 0xd23f31, 0x4d7ea8]
export const COMMANDED = 0x7b4de0
export const ACTUAL = 0x12a150
const TRAIL_S = 1.6
const GRAVITY = 9.81
/** Closer to its limit than this part of its range, a joint is marked. */
export const NEAR = 0.04

class Arrow extends Group {
  private readonly shaft: Mesh
  private readonly head: Mesh

  constructor(colour: number, thickness: number) {
    super()
    const paint = new MeshBasicMaterial({ color: colour })
    this.shaft = new Mesh(new CylinderGeometry(thickness, thickness, 1, 8).translate(0, 0.5, 0), paint)
    this.head = new Mesh(new ConeGeometry(2.6 * thickness, 6 * thickness, 12).translate(0, 3 * thickness, 0), paint)
    this.add(this.shaft, this.head)
  }

  /** Begin at a point and reach so far; shorter than its head, it is not shown. */
  point(x: number, y: number, z: number, reach: Vector3): void {
    const length = reach.length()
    this.visible = length > 0.01 && Number.isFinite(length)
    if (!this.visible) return
    this.position.set(x, y, z)
    this.quaternion.setFromUnitVectors(UP, reach.divideScalar(length))
    this.shaft.scale.set(1, length, 1)
    this.head.position.set(0, length, 0)
  }
}

const UP = new Vector3(0, 1, 0)
const reach = new Vector3()
const place = new Float64Array(3)

/** The marks of one episode. */
export class Marks extends Group {
  private readonly forces: Arrow[]
  private readonly trails: Line[]
  private readonly wanted: Arrow
  private readonly actual: Arrow
  private readonly area: Mesh<BufferGeometry, MeshBasicMaterial>
  private readonly centre: Mesh<SphereGeometry, MeshBasicMaterial>
  private readonly drop: Line
  private readonly joints: Mesh<SphereGeometry, MeshBasicMaterial>[]
  private readonly size: number

  constructor(
    private readonly scene: Scene,
    private readonly episode: Episode,
    private readonly track: Track,
  ) {
    super()
    const size = (this.size = Math.min(2, Math.max(0.05, sizeOf(scene))))
    const thin = 0.008 * size
    this.forces = track.feet.map((_, k) => new Arrow(FOOT_COLOURS[k % FOOT_COLOURS.length]!, thin))
    this.trails = track.feet.map((positions, k) => {
      const geometry = new BufferGeometry().setAttribute('position', new BufferAttribute(positions, 3))
      const line = new Line(geometry, new LineBasicMaterial({ color: FOOT_COLOURS[k % FOOT_COLOURS.length]! }))
      line.frustumCulled = false
      return line
    })
    this.wanted = new Arrow(COMMANDED, 1.2 * thin)
    this.actual = new Arrow(ACTUAL, 1.2 * thin)
    const corners = new BufferAttribute(new Float32Array(3 * 16), 3).setUsage(DynamicDrawUsage)
    this.area = new Mesh(
      new BufferGeometry().setAttribute('position', corners).setIndex(fan(16)),
      new MeshBasicMaterial({ color: ACTUAL, transparent: true, opacity: 0.32, depthWrite: false, side: 2 }),
    )
    this.area.frustumCulled = false
    this.centre = new Mesh(new SphereGeometry(0.016 * size, 12, 8), new MeshBasicMaterial({ color: 0xf2b400, depthTest: false }))
    this.centre.renderOrder = 2
    const fall = new BufferAttribute(new Float32Array(6), 3).setUsage(DynamicDrawUsage)
    this.drop = new Line(new BufferGeometry().setAttribute('position', fall), new LineBasicMaterial({ color: 0xf2b400 }))
    this.drop.frustumCulled = false
    this.joints = scene.joints.map(() => {
      const ball = new Mesh(
        new SphereGeometry(0.03 * size, 12, 8),
        new MeshBasicMaterial({ color: 0xff3b30, transparent: true, opacity: 0.75, depthTest: false }),
      )
      ball.renderOrder = 3
      return ball
    })
    this.add(...this.forces, ...this.trails, this.wanted, this.actual, this.area, this.centre, this.drop, ...this.joints)
  }

  update(frame: number, pose: Pose, shown: Shown): void {
    this.updateForces(frame, shown.forces)
    this.updateVelocity(frame, shown.velocity)
    this.updateTrails(frame, shown.trails)
    this.updateBalance(frame, shown.balance)
    this.updateJoints(frame, pose, shown.limits)
  }

  private updateForces(frame: number, shown: boolean): void {
    const perNewton = (0.6 * this.size) / (this.track.mass * GRAVITY || 100)
    this.forces.forEach((arrow, k) => {
      arrow.visible = false
      const newtons = footForce(this.episode, k, frame)
      if (!shown || !(newtons > 0)) return
      const at = this.track.feet[k]!
      // A normal force of level ground: it points up.
      arrow.point(at[frame * 3]!, at[frame * 3 + 1]!, this.track.ground, reach.set(0, 0, newtons * perNewton))
    })
  }

  private updateVelocity(frame: number, shown: boolean): void {
    const { rootPos, velocity, heading } = this.track
    const i = frame * 3
    const [x, y, z] = [rootPos[i]!, rootPos[i + 1]!, rootPos[i + 2]! + 0.22 * this.size]
    this.actual.visible = this.wanted.visible = false
    if (!shown) return
    const scale = 0.5 * this.size
    this.actual.point(x, y, z, reach.set(velocity[i]!, velocity[i + 1]!, 0).multiplyScalar(scale))
    const asked = commandedAt(this.episode, frame)
    if (!asked) return
    const [ahead, left] = asked
    const [hx, hy] = [heading[i]!, heading[i + 1]!]
    this.wanted.point(x, y, z + 0.035 * this.size, reach.set(ahead * hx - left * hy, ahead * hy + left * hx, 0).multiplyScalar(scale))
  }

  private updateTrails(frame: number, shown: boolean): void {
    const steps = Math.round(TRAIL_S / this.episode.stepS)
    const first = Math.max(0, frame - steps)
    for (const line of this.trails) {
      line.visible = shown
      line.geometry.setDrawRange(first, frame - first + 1)
    }
  }

  private updateBalance(frame: number, shown: boolean): void {
    this.area.visible = this.centre.visible = this.drop.visible = shown
    if (!shown) return
    const { centre, feet, ground } = this.track
    const [x, y, z] = [centre[frame * 3]!, centre[frame * 3 + 1]!, centre[frame * 3 + 2]!]
    this.centre.position.set(x, y, z)
    const line = this.drop.geometry.getAttribute('position')
    line.setXYZ(0, x, y, z)
    line.setXYZ(1, x, y, ground)
    line.needsUpdate = true
    const standing: [number, number][] = feet.flatMap((at, k) =>
      stands(this.episode, k, frame) ? [[at[frame * 3]!, at[frame * 3 + 1]!] as [number, number]] : [],
    )
    const corners = hull(standing).slice(0, 16)
    const at = this.area.geometry.getAttribute('position')
    corners.forEach(([cx, cy], i) => at.setXYZ(i, cx, cy, ground + 0.004))
    at.needsUpdate = true
    this.area.geometry.setDrawRange(0, Math.max(0, corners.length - 2) * 3)
  }

  private updateJoints(frame: number, pose: Pose, shown: boolean): void {
    this.scene.joints.forEach((joint, j) => {
      const ball = this.joints[j]!
      const margin = shown ? marginOf(this.scene, this.episode, j, frame) : 1
      ball.visible = margin < NEAR
      if (!ball.visible) return
      pointOf(place, pose, joint.body, joint.pos)
      ball.position.set(place[0]!, place[1]!, place[2]!)
      ball.material.color.setHex(margin <= 0 ? 0xff2a1f : 0xff9f1a)
    })
  }
}

/** What the robot was asked for: speed ahead and to the left, m/s; null where nobody recorded it. */
export function commandedAt(episode: Episode, frame: number): [number, number] | null {
  const command = episode.columns.get('command')
  if (!command || command.width < 2) return null
  // Before the first step it was asked for what it was asked for then.
  const at = Math.max(frame, episode.frames - command.count)
  return [episode.value('command', at, 0), episode.value('command', at, 1)]
}

/** How far a joint is from its nearer limit, as part of its range; 1 where it has none. */
export function marginOf(scene: Scene, episode: Episode, j: number, frame: number): number {
  const joint = scene.joints[j]
  const range = joint?.range
  if (!joint || !range || joint.type < 2) return 1
  const at = episode.value('qpos', frame, joint.qpos)
  return Math.min(at - range[0], range[1] - at) / (range[1] - range[0] || 1)
}

const fan = (corners: number): number[] =>
  Array.from({ length: corners - 2 }, (_, i) => [0, i + 1, i + 2]).flat()
