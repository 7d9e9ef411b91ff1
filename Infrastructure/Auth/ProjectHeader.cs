namespace Bellhop.Infrastructure.Auth;

/// <summary>The header by which a user says in which project he acts, by its id or name.</summary>
public static class ProjectHeader
{
    public const string Name = "Bellhop-Project";
}
