using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Secrets;

/// <summary>The failures that only secrets know.</summary>
public static class SecretsProblems
{
    public static readonly ProblemCode InUse = new(409, "secret_in_use", "The secret is in use");
}
