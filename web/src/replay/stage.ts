/**
 * The 3D view: draws episodes as they were recorded, as fast as this machine can.
 *
 * Scenes and poses have quaternions as (w, x, y, z), three.js as (x, y, z, w); they are turned over in
 * `place` and `Actor`, nowhere else.
 */
import {
  BackSide,
  BufferAttribute,
  Color,
  DirectionalLight,
  Fog,
  GridHelper,
  Group,
  HemisphereLight,
  Mesh,
  MeshBasicMaterial,
  Object3D,
  PCFShadowMap,
  PerspectiveCamera,
  Scene as World,
  SphereGeometry,
  Vector3,
  WebGLRenderer,
  type BufferGeometry,
} from 'three'
import { OrbitControls } from 'three/examples/jsm/controls/OrbitControls.js'
import type { Episode } from './episode'
import { newPose, type Pose } from './kinematics'
import { Marks, type Shown } from './marks'
import { PLANE, type Scene } from './scene'
import { SoftShadow } from './soft-shadow'
import { colour, geometryOf, materialOf, type Quality } from './shapes'
import { poseAt, sizeOf, type Track } from './track'

export interface Cast {
  scene: Scene
  episode: Episode
  track: Track
  /** Without marks. */
  bare?: boolean
  /** The colour of a ghost; the one that is looked at has none. */
  tint?: number
  /** How it is set beside the others: turned about the vertical, then moved. */
  shift?: Shift
}

export interface Shift {
  x: number
  y: number
  yaw: number
}

export interface View {
  eye: [number, number, number]
  target: [number, number, number]
  /** Vertical, degrees. */
  fovy: number
}

const place = (object: Object3D, pos: ArrayLike<number>, at: number, quat: ArrayLike<number>, from: number): void => {
  object.position.set(pos[at]!, pos[at + 1]!, pos[at + 2]!)
  object.quaternion.set(quat[from + 1]!, quat[from + 2]!, quat[from + 3]!, quat[from]!)
}

const NO_COLOUR = new MeshBasicMaterial({ colorWrite: false, transparent: true, polygonOffset: true, polygonOffsetFactor: 1, polygonOffsetUnits: 16 })

class Actor extends Group {
  private readonly bodies: Group[]
  private readonly pose: Pose
  private readonly marks: Marks | null
  private readonly shadow: SoftShadow | null = null
  readonly endless: Mesh[] = []

  constructor(
    readonly cast: Cast,
    quality: Quality,
  ) {
    super()
    const { scene, tint } = cast
    this.pose = newPose(scene)
    this.bodies = scene.bodies.map(() => new Group())
    const kept = new Map<string, BufferGeometry | null>()
    const throwing: { mesh: Mesh; body: number }[] = []
    const seen = scene.geoms.some((geom) => geom.group < 3 && geom.body > 0)
    for (const geom of scene.geoms) {
      if (tint !== undefined && geom.body === 0) continue
      const key = `${geom.type} ${geom.data} ${geom.size.join()}`
      if (!kept.has(key)) kept.set(key, geometryOf(scene, geom, quality))
      const geometry = kept.get(key)
      if (!geometry) continue
      const mesh = new Mesh(geometry, materialOf(scene, geom, quality, tint))
      place(mesh, geom.pos, 0, geom.quat, 0)
      mesh.castShadow = geom.type !== PLANE && tint === undefined
      mesh.receiveShadow = tint === undefined
      mesh.userData['collision'] = geom.group >= 3 && seen
      mesh.visible = !mesh.userData['collision']
      if (geom.type === PLANE && geom.body === 0 && !geom.size[0]) this.endless.push(mesh)
      this.bodies[geom.body]!.add(mesh)
      if (tint !== undefined) this.bodies[geom.body]!.add(front(mesh))
      if (geom.body > 0 && mesh.visible) throwing.push({ mesh, body: geom.body })
    }
    const ground = scene.geoms.find((geom) => geom.type === PLANE && geom.body === 0 && geom.quat[0]! > 0.999)
    if (quality.low && ground && tint === undefined) {
      this.shadow = new SoftShadow(throwing, ground.pos[2]!)
      this.bodies[0]!.add(this.shadow)
    }
    this.marks = tint === undefined && !cast.bare && cast.track.frames > 0 ? new Marks(scene, cast.episode, cast.track) : null
    this.add(...this.bodies, ...(this.marks ? [this.marks] : []))
    const { x, y, yaw } = cast.shift ?? { x: 0, y: 0, yaw: 0 }
    this.position.set(x, y, 0)
    this.rotation.z = yaw
  }

  show(frame: number, shown: Shown, episode = this.cast.episode): void {
    poseAt(this.cast.scene, episode, frame, this.pose)
    this.bodies.forEach((group, b) => place(group, this.pose.xpos, 3 * b, this.pose.xquat, 4 * b))
    for (const group of this.bodies)
      for (const mesh of group.children) if (mesh.userData['collision']) mesh.visible = shown.collision
    this.shadow?.update(this.pose.xpos, this.pose.xquat)
    this.marks?.update(frame, this.pose, shown)
  }

  /** Above its root, as the camera sees it. */
  above(camera: PerspectiveCamera): Vector3 {
    const { scene, track } = this.cast
    const root = 3 * track.root
    const [x, y, z] = [this.pose.xpos[root]!, this.pose.xpos[root + 1]!, this.pose.xpos[root + 2]!]
    return this.localToWorld(new Vector3(x, y, z + 0.28 * Math.min(3, Math.max(0.2, sizeOf(scene))))).project(camera)
  }

  dispose(): void {
    this.traverse((object) => {
      if (!(object instanceof Mesh)) return
      object.geometry.dispose()
      for (const material of [object.material].flat()) {
        material.map?.dispose()
        material.dispose()
      }
    })
  }
}

export const ALL_SHOWN: Shown = { forces: true, velocity: true, trails: true, balance: true, limits: true, collision: false }
/** Fewer pixels than this part of the screen's are never drawn. */
const LEAST_RATIO = 0.4
/** Pictures should come more often than this, s. */
const LATE_S = 0.07
/** Nobody looked at what came later than that, s. */
const HIDDEN_S = 2
/** A picture that is this old stands still. */
const SETTLED_MS = 250
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i

export class Stage {
  readonly low: boolean
  follow = true
  shown: Shown = { ...ALL_SHOWN }
  private readonly renderer: WebGLRenderer
  private readonly world = new World()
  private readonly camera = new PerspectiveCamera(42, 1, 0.02, 200)
  private readonly controls: OrbitControls
  private readonly sun = new DirectionalLight(0xfff4e6, 2.3)
  private actors: Actor[] = []
  /** Let go once the next have been drawn: until then programs that both use stay compiled. */
  private left: Actor[] = []
  private backdrop: Object3D[] = []
  private arrived = false
  private ratio = 1
  /** How far away the camera begins: further where robots stand beside each other. */
  private apart = 1
  private slow = 0
  /** When it was drawn last; and whether with all its pixels, though it is drawn with fewer while it moves. */
  private drawnMs = 0
  private sharp = false
  /** Whether the picture before this one was a new one; and whether nothing of this cast was drawn yet. */
  private drew = false
  private fresh = true
  private readonly resized: ResizeObserver
  private size = ''
  /** Something has changed since the last picture. */
  private stale = true

  constructor(
    readonly canvas: HTMLCanvasElement,
    /** Pixels, where the canvas stands on no page. */
    private readonly fixed?: [width: number, height: number],
  ) {
    const context = canvas.getContext('webgl2', { antialias: !Stage.drawnBySoftware(), alpha: false })
    if (!context) throw new Error('no WebGL')
    this.low = Stage.drawnBySoftware()
    this.renderer = new WebGLRenderer({ canvas, context })
    this.renderer.shadowMap.enabled = !this.low
    this.renderer.shadowMap.type = PCFShadowMap
    this.camera.up.set(0, 0, 1)
    this.controls = new OrbitControls(this.camera, canvas)
    this.controls.enableDamping = false
    this.controls.maxPolarAngle = 0.55 * Math.PI
    this.controls.addEventListener('change', () => (this.stale = true))
    this.world.add(new HemisphereLight(0xeaf2ff, 0x6b6f76, 1.7), this.sun, this.sun.target)
    this.sun.castShadow = true
    this.sun.shadow.mapSize.set(2048, 2048)
    this.sun.shadow.bias = -0.0004
    this.sun.shadow.normalBias = 0.01
    this.resized = new ResizeObserver(() => this.resize())
    this.resized.observe(canvas)
    this.begin()
  }

  /** Whether the processor draws, found out once. */
  static drawnBySoftware(): boolean {
    Stage.software ??= (() => {
      const probe = document.createElement('canvas').getContext('webgl2')
      if (!probe) return true
      const told = probe.getExtension('WEBGL_debug_renderer_info')
      const name = String(probe.getParameter(told ? told.UNMASKED_RENDERER_WEBGL : probe.RENDERER))
      probe.getExtension('WEBGL_lose_context')?.loseContext()
      return SOFTWARE.test(name)
    })()
    return Stage.software
  }
  private static software: boolean | undefined

  setCast(cast: Cast[]): void {
    this.world.remove(...this.actors)
    this.left.push(...this.actors)
    const before = this.actors[0]?.cast.scene.digest
    this.actors = cast.map((each) => new Actor(each, this))
    this.apart = cast.some((each) => each.bare && each.shift) ? 2.1 : 1
    this.world.add(...this.actors)
    const lead = cast[0]
    if (lead && (lead.scene.digest !== before || this.arrived)) this.furnish(lead)
    this.arrived = false
    this.stale = this.fresh = true
  }

  /** Stand on another page: the camera begins anew with the next cast. */
  arrive(): void {
    this.arrived = true
    this.begin()
  }

  /** With as many pixels as there should be. */
  private begin(): void {
    this.ratio = this.low ? 0.75 : Math.min(2, devicePixelRatio)
    this.slow = 0
    this.resize()
  }

  /** Whether the browser took its drawing away. */
  get lost(): boolean {
    return this.renderer.getContext().isContextLost()
  }

  /** Sky, fog and the camera's first place, once for each scene. */
  private furnish({ scene, track }: Cast): void {
    this.world.remove(...this.backdrop)
    const size = Math.min(3, Math.max(0.2, sizeOf(scene)))
    const [zenith, horizon] = (scene.sky ?? [[0.35, 0.45, 0.58], [0.8, 0.85, 0.9]]).map(colour) as [Color, Color]
    this.backdrop = [dome(zenith, horizon)]
    if (!scene.geoms.some((geom) => geom.type <= 1 && geom.body === 0)) {
      const grid = new GridHelper(40 * size, 80, 0x8d99a6, 0xb7c0c9)
      grid.rotateX(Math.PI / 2)
      this.backdrop.push(grid)
    }
    this.world.add(...this.backdrop)
    this.world.fog = new Fog(horizon, 7 * size, 26 * size)
    Object.assign(this.sun.shadow.camera, { left: -1.6 * size, right: 1.6 * size, top: 1.6 * size, bottom: -1.6 * size, near: 0.1, far: 9 * size })
    this.sun.shadow.camera.updateProjectionMatrix()
    const [x, y, z] = [track.rootPos[0] ?? 0, track.rootPos[1] ?? 0, track.rootPos[2] ?? size / 3]
    const [hx, hy] = [track.heading[0] ?? 1, track.heading[1] ?? 0]
    this.controls.target.set(x, y, Math.max(0.6 * z, 0.1 * size))
    // from ahead and to its right
    const far = size * this.apart
    this.camera.position.set(x + far * (0.95 * hx + 1.25 * hy), y + far * (0.95 * hy - 1.25 * hx), z + 0.62 * far)
    this.controls.minDistance = 0.25 * size
    this.controls.maxDistance = 14 * size
  }

  /** Show these frames, one for each of the cast. */
  show(frames: number[]): void {
    this.actors.forEach((actor, i) => actor.show(frames[i] ?? 0, this.shown))
    const lead = this.actors[0]
    if (lead && lead.cast.track.frames > 0) this.walkAlong(lead, frames[0] ?? 0)
    this.stale = true
  }

  /** Where in the picture the i-th robot's head room is, in parts of its width and height from the left and the top; null: out of sight. */
  above(i: number): [number, number] | null {
    const actor = this.actors[i]
    if (!actor || !actor.cast.track.frames) return null
    const { x, y, z } = actor.above(this.camera)
    return Math.abs(x) < 1 && Math.abs(y) < 1 && z < 1 ? [(1 + x) / 2, (1 - y) / 2] : null
  }

  private walkAlong(lead: Actor, frame: number): void {
    const { rootPos } = lead.cast.track
    const size = Math.min(3, Math.max(0.2, sizeOf(lead.cast.scene)))
    const [x, y] = [rootPos[frame * 3]!, rootPos[frame * 3 + 1]!]
    if (this.follow && Number.isFinite(x + y)) {
      const [dx, dy] = [x - this.controls.target.x, y - this.controls.target.y]
      this.controls.target.x += dx
      this.controls.target.y += dy
      this.camera.position.x += dx
      this.camera.position.y += dy
    }
    this.light(x, y, size)
    for (const actor of this.actors)
      // An endless floor is carried along in whole metres, so that its pattern stays where it is.
      for (const floor of actor.endless) floor.position.set(4 * Math.round(x / 4), 4 * Math.round(y / 4), floor.position.z)
  }

  /** Another episode of the same scene, drawn into somebody else's canvas. */
  copy(episode: Episode, made: Track, frame: number, onto: CanvasRenderingContext2D): void {
    const actor = this.actors[0]
    if (!actor) return
    actor.show(frame, this.shown, episode)
    this.lookAt(made, frame, actor.cast.scene)
    this.draw()
    onto.drawImage(this.canvas, 0, 0, onto.canvas.width, onto.canvas.height)
  }

  /** From ahead and to the right of the robot, whichever way it looks. */
  private lookAt(made: Track, frame: number, scene: Scene): void {
    const size = Math.min(3, Math.max(0.2, sizeOf(scene)))
    const [x, y, z] = [0, 1, 2].map((i) => made.rootPos[frame * 3 + i] ?? 0) as [number, number, number]
    const [hx, hy] = [made.heading[0] ?? 1, made.heading[1] ?? 0]
    this.camera.position.set(x + size * (0.8 * hx + 1.05 * hy), y + size * (0.8 * hy - 1.05 * hx), 0.62 * size)
    this.camera.lookAt(x, y, Math.max(0.6 * z, 0.1 * size))
    this.light(x, y, size)
  }

  private light(x: number, y: number, size: number): void {
    this.sun.position.set(x + 1.4 * size, y - 1.6 * size, 3.6 * size)
    this.sun.target.position.set(x, y, 0)
  }

  /** Draw, if there is anything new, and say whether; to be called for every picture of the browser. */
  render(): boolean {
    const now = performance.now()
    // The browser waits for who draws: the next picture comes late where this one took long.
    const seconds = (now - this.drawnMs) / 1000
    if (this.drew && seconds < HIDDEN_S) this.adapt(seconds)
    // The first of a cast also compiles.
    this.drew = this.stale && !this.fresh
    if (!this.stale) {
      this.sharpen()
      return false
    }
    if (this.sharp) this.resize()
    this.sharp = false
    this.controls.update()
    this.draw()
    this.stale = this.fresh = false
    this.drawnMs = now
    return true
  }

  private draw(): void {
    this.renderer.render(this.world, this.camera)
    for (const actor of this.left.splice(0)) actor.dispose()
  }

  /** What stands still is looked at closely: once more, with all its pixels. */
  private sharpen(): void {
    const full = Math.min(2, devicePixelRatio)
    if (this.sharp || this.fixed || this.ratio >= full || performance.now() - this.drawnMs < SETTLED_MS) return
    const kept = this.ratio
    this.ratio = full
    this.resize()
    this.draw()
    this.ratio = kept
    this.sharp = true
    this.stale = false
  }

  /** Fewer pixels where pictures take too long. */
  private adapt(seconds: number): void {
    // One that takes half a second tells as much as six that are a little late.
    this.slow = seconds > LATE_S ? this.slow + seconds / LATE_S : Math.max(0, this.slow - 1)
    if (this.slow < 7 || this.ratio <= LEAST_RATIO) return
    this.slow = 0
    this.ratio = Math.max(LEAST_RATIO, 0.75 * this.ratio)
    this.resize()
  }

  private resize(): void {
    const [width, height] = this.fixed ?? [this.canvas.clientWidth, this.canvas.clientHeight]
    if (!width || !height) return // on no page just now
    const size = `${width} ${height} ${this.ratio}`
    if (size === this.size) return
    this.size = size
    this.renderer.setPixelRatio(this.fixed ? 1 : this.ratio)
    this.renderer.setSize(width, height, false)
    this.camera.aspect = width / height
    this.camera.updateProjectionMatrix()
    this.stale = true
  }

  /** The picture as it is now, sharp. */
  async picture(): Promise<Blob | null> {
    const before = this.ratio
    this.ratio = Math.max(2, devicePixelRatio)
    this.resize()
    this.stale = true
    this.render()
    const made = await new Promise<Blob | null>((done) => this.canvas.toBlob(done, 'image/png'))
    this.ratio = before
    this.resize()
    return made
  }

  /**
   * The robot's outline, 255 where it is, first row lowest: what tests compare with MuJoCo's own renderer.
   */
  outline(view: View, width: number, height: number): Uint8Array {
    const camera = new PerspectiveCamera(view.fovy, width / height, 0.01, 100)
    camera.up.set(0, 0, 1)
    camera.position.set(...view.eye)
    camera.lookAt(new Vector3(...view.target))
    const world = new World()
    world.background = new Color(0)
    const white = new MeshBasicMaterial({ color: 0xffffff })
    world.overrideMaterial = white
    const actor = this.actors[0]!
    const hidden = actor.children.flatMap((group) => group.children).filter((mesh) => mesh.visible)
    const [parent, ground] = [actor.parent, actor.children[0]!]
    ground.visible = false
    actor.children.at(-1)!.visible = false // the marks
    world.add(actor)
    const gl = this.renderer.getContext()
    this.renderer.setPixelRatio(1)
    this.renderer.setSize(width, height, false)
    this.renderer.render(world, camera)
    const rgba = new Uint8Array(4 * width * height)
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, rgba)
    ground.visible = actor.children.at(-1)!.visible = true
    for (const mesh of hidden) mesh.visible = true
    parent?.add(actor)
    white.dispose()
    this.size = ''
    this.resize()
    return rgba.filter((_, i) => i % 4 === 0)
  }

  dispose(): void {
    this.resized.disconnect()
    this.controls.dispose()
    for (const actor of [...this.actors, ...this.left]) actor.dispose()
    this.renderer.dispose()
  }
}

/** Drawn before a ghost, without a colour: only what is nearest of it is seen. */
function front(mesh: Mesh): Mesh {
  const made = mesh.clone()
  made.material = NO_COLOUR
  made.renderOrder = -1
  return made
}

function dome(zenith: Color, horizon: Color): Mesh {
  const geometry = new SphereGeometry(150, 24, 16).rotateX(Math.PI / 2)
  const at = geometry.getAttribute('position')
  const colours = new Float32Array(3 * at.count)
  const mixed = new Color()
  for (let i = 0; i < at.count; i++) mixed.lerpColors(horizon, zenith, Math.max(0, at.getZ(i) / 150) ** 0.6).toArray(colours, 3 * i)
  geometry.setAttribute('color', new BufferAttribute(colours, 3))
  const mesh = new Mesh(geometry, new MeshBasicMaterial({ vertexColors: true, side: BackSide, fog: false, depthWrite: false }))
  mesh.renderOrder = -1
  mesh.frustumCulled = false
  return mesh
}

