--- The events that scripts can ask for with holos.on, in the order of a project's life. Pure: data.
---
--- Payloads: an instance's is {project, instance, service, index}; after the fact also `result` (words) and `took_ms`.
return {
  { name = "plan.ready", kind = "filter", help = "the plan of up, plan and start, before anything is done" },
  { name = "volume.created", kind = "notice", help = "a volume's disk was made: {project, volume}" },
  { name = "instance.before_launch", kind = "veto", help = "an instance is about to be launched" },
  { name = "instance.launched", kind = "notice", help = "its QEMU runs" },
  { name = "instance.ready", kind = "notice", help = "it was waited for, and is what `result` says" },
  { name = "instance.before_stop", kind = "veto", help = "it is to be stopped; asked for all before anything is done" },
  { name = "instance.stopped", kind = "notice", help = "its QEMU has ended" },
  { name = "instance.removed", kind = "notice", help = "its directory was moved to the trash" },
}
