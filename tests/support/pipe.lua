--- A pipe that is closed with its scope: {reader=, writer=}.

local fd = require "sys.fd"

local Pipe = {}

function Pipe:__close()
  self.reader:close()
  self.writer:close()
end

return function()
  local reader, writer = assert(fd.pipe())
  return setmetatable({ reader = reader, writer = writer }, Pipe)
end
