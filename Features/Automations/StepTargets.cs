using Bellhop.Infrastructure.Outgoing;

namespace Bellhop.Features.Automations;

/// <summary>What of a project and of this service the steps of an automation may name.</summary>
/// <param name="Connections">Its connections by name.</param>
/// <param name="Secrets">The names of its secrets.</param>
internal sealed record StepTargets(
    JobTargets Jobs,
    AddressPolicy Addresses,
    IReadOnlyDictionary<string, (Guid Id, string Kind)> Connections,
    IReadOnlyCollection<string> Secrets
);
