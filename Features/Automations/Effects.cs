using Bellhop.Features.Connections;

namespace Bellhop.Features.Automations;

/// <summary>What sends the effects of steps.</summary>
internal sealed record Effects(HttpCalls Http, MailCalls Mail);
