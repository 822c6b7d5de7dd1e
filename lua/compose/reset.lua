--- What `!reset` took away leaves the tree. Pure.
--
-- While documents are merged, a value that was reset is json.null with a tag: a later document may give the key a new
-- value, and a service that is extended from elsewhere loses it too. See holos.compose.merge.

local M = {}

--- Takes every value that is reset out of its container. Containers that are no longer part of a tree do not matter.
---@param tags table  tags[container][key] = "reset" | "override"
function M.strip(tags)
  for container, kinds in next, tags do
    for key, kind in next, kinds do
      if kind == "reset" then container[key] = nil end
    end
  end
end

return M
