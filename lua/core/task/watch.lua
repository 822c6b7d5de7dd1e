--- The descriptors that tasks wait for, as the poller wants them. Pure.

local M = {}

local Watch = {}
Watch.__index = Watch

--- An empty list of descriptors.
function M.new()
  return setmetatable({
    polled = {},                  -- {fd, direction, fd, direction, …}
    watchers = {},                -- who is to be told of each pair
  }, Watch)
end

--- Adds a descriptor. A watcher has at most one; it keeps the position in `watch_position`.
function Watch:add(watcher, fd, direction)
  local position = #self.watchers + 1
  self.watchers[position] = watcher
  self.polled[2 * position - 1], self.polled[2 * position] = fd, direction
  watcher.watch_position = position
end

--- Takes the descriptor of a watcher out; the last pair moves into its place.
function Watch:remove(watcher)
  local polled, watchers = self.polled, self.watchers
  local position, last = watcher.watch_position, #watchers
  polled[2 * position - 1], polled[2 * position] = polled[2 * last - 1], polled[2 * last]
  polled[2 * last], polled[2 * last - 1] = nil, nil
  watchers[position], watchers[last].watch_position = watchers[last], position
  watchers[last] = nil
end

--- The watchers at these positions, collected before the first is told, as telling moves pairs about.
function Watch:at(positions)
  local list = {}
  for i, position in ipairs(positions) do list[i] = self.watchers[position] end
  return list
end

--- How many descriptors there are.
function Watch:count()
  return #self.watchers
end

return M
